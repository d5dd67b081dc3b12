"""From a video file to one person's landmarks, and the camera that saw them."""
