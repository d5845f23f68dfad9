"""The contract's documents as pydantic models: what a request may say and what an answer looks like.

A file per resource, named as its router. `common` has the bases, `envelope` the JSON:API requests, `fields` the
field types, `parameters` the query strings, `people` what several resources say of a person.

Violations are pydantic errors. The edge turns them into the contract's errors by their type: `missing` is
`missing-attribute`, a type with a hyphen is itself the code, everything else is `invalid-attribute` (or
`invalid-parameter` in a query string or path). Of an error only location, type and message may leave the process or
be logged: its `input` may be a password.
"""
