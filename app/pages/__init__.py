"""Pages: components and thin handlers over the services."""
