"""Builders of a world for tests: its people, organizations and groups, in memory, in a log, or in the whole product.

| module | what it makes |
|---|---|
| `principals` | principals for commands that are called without HTTP |
| `people` | single users and individuals |
| `memory` | the commands of the domain over a store in memory |
| `log` | people, organizations and groups in a log |
| `read_models` | the same, with the read models of a real log |
| `settings` | the settings of the whole product |
| `product` | the whole product, with people who can sign in |
| `named` | the product with things that have names, for data files |
"""
