def fill(template, message):
    parts = template["parts"]
    parts.append(message["subject"])
    return template
