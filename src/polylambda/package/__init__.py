"""From a project to what Lambda takes: zip files, layers, image folders; and a trial of them before they are uploaded.

`build` is the way through: the project's files (`sources`), what it depends on (`dependencies`, by uv), polylambda itself
(`own`), all in one folder (`stage`), which becomes an artifact (`archive`, `image`). `trial` runs one as Lambda would.
What `polylambda init` writes is in `projects`; deployment stays with AWS's tools, whose commands `next_steps` writes down.
"""
