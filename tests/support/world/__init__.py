"""Builders of a world for tests: its people, organizations and groups, at four levels.

`people` and `principals` make single aggregates and principals. `memory` is a world in memory, for the domain. `wards`
and `tenants` are worlds on a real log, for read models. `product` is the whole product, with people who can sign in;
`named` gives its things names.
"""
