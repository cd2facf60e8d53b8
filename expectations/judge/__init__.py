"""The judgement: schema, then footer, then scan, then the verdict."""
