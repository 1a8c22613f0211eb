"""The contract for machines: JSON Schemas and an AsyncAPI document, written from the types that the gate reads by."""
