"""gcloud and Google Cloud's APIs."""
