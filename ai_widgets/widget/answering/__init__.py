"""The widget of the offline tasks: one clip, one request, one answer."""
