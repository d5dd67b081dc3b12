"""What a person looks at: replay video, report page, terminal table."""
