{% include cookiecutter.function_kind ~ "/tests/test_integration.py" %}
