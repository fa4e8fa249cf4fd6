"""The TOML file, its types, and its errors."""
