"""What several functions of this project share."""
