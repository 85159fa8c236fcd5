"""Many pictures and videos: rows, tables, progress that resumes, processes and Ray."""
