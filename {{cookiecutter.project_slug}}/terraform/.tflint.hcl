# All of tflint's rules for the language; each exception has its reason.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

# One file per concern, named for it, instead of one main.tf.
rule "terraform_standard_module_structure" {
  enabled = false
}
