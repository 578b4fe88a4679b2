{% include cookiecutter.function_kind ~ "/function/main.py" %}
