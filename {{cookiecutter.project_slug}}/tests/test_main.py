{% include cookiecutter.function_kind ~ "/tests/test_main.py" %}
