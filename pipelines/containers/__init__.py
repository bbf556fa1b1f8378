"""The Docker images of the stages, and the engine that runs them."""
