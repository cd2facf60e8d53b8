"""Rules of users: GX expectations read from JSON and judged by Polars."""
