from pathlib import Path


class Files:
    def __init__(self, folder):
        self.folder = Path(folder)

    def path(self, name):
        return self.folder / name
