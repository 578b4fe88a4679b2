# Every rule that tflint has for the language; what we do not follow has its reason.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

# One file per concern, named for it, instead of one main.tf.
rule "terraform_standard_module_structure" {
  enabled = false
}
