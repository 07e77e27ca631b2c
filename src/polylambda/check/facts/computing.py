"""Libraries that compute for long: cryptography, images, documents, tables."""

from __future__ import annotations

from polylambda.check.facts.fact import Theme, below, heavy, known, writes_path

_IN_THREAD = "await asyncio.to_thread(...)"
_FRAME = "groupby merge join apply pivot_table sort_values to_csv to_parquet to_excel to_json describe corr rolling"

THEME = Theme(
    facts=known(
        (
            heavy(),
            """bcrypt.hashpw bcrypt.checkpw bcrypt.kdf
            cryptography.hazmat.primitives.asymmetric.rsa.generate_private_key
            cryptography.hazmat.primitives.asymmetric.dsa.generate_private_key
            brotli.compress brotli.decompress zstandard.compress lz4.frame.compress snappy.compress
            openpyxl.load_workbook pandas.read_csv pandas.read_excel pandas.read_parquet pandas.read_json pandas.concat
            pandas.merge polars.read_csv polars.read_parquet pypdf.PdfReader pdfplumber.open weasyprint.HTML.write_pdf
            joblib.load cv2.imdecode cv2.imencode cv2.resize cv2.GaussianBlur
            numpy.linalg.inv numpy.linalg.svd numpy.linalg.eig numpy.linalg.solve torch.load
            rapidfuzz.process.extract rapidfuzz.process.cdist thefuzz.process.extract tabulate.tabulate""",
        ),
        (heavy(_IN_THREAD), below("argon2.PasswordHasher", "hash verify")),
        (heavy(_IN_THREAD), below("passlib.context.CryptContext", "hash verify verify_and_update")),
        (
            heavy(_IN_THREAD),
            [
                "cryptography.hazmat.primitives.kdf.pbkdf2.PBKDF2HMAC.derive",
                "cryptography.hazmat.primitives.kdf.scrypt.Scrypt.derive",
                "cryptography.hazmat.primitives.kdf.argon2.Argon2id.derive",
            ],
        ),
        (
            heavy(_IN_THREAD),
            below(
                "PIL.Image.Image",
                """resize thumbnail convert filter rotate save crop transpose quantize reduce transform resample""",
            ),
        ),
        (writes_path(0, "fp"), "PIL.Image.Image.save"),
        (writes_path(0, "filename"), "openpyxl.Workbook.save cv2.imwrite"),
        (heavy(_IN_THREAD), below("pandas.DataFrame", _FRAME)),
        (
            heavy(_IN_THREAD),
            "openpyxl.Workbook.save zstandard.ZstdCompressor.compress zstandard.ZstdDecompressor.decompress",
        ),
    ),
    gives={
        "argon2.PasswordHasher": "argon2.PasswordHasher",
        "passlib.context.CryptContext": "passlib.context.CryptContext",
        "cryptography.hazmat.primitives.kdf.pbkdf2.PBKDF2HMAC": "cryptography.hazmat.primitives.kdf.pbkdf2.PBKDF2HMAC",
        "cryptography.hazmat.primitives.kdf.scrypt.Scrypt": "cryptography.hazmat.primitives.kdf.scrypt.Scrypt",
        "PIL.Image.open": "PIL.Image.Image",
        "PIL.Image.new": "PIL.Image.Image",
        "PIL.Image.Image.resize": "PIL.Image.Image",
        "PIL.Image.Image.convert": "PIL.Image.Image",
        "PIL.Image.Image.rotate": "PIL.Image.Image",
        "PIL.Image.Image.crop": "PIL.Image.Image",
        "pandas.DataFrame": "pandas.DataFrame",
        "pandas.read_csv": "pandas.DataFrame",
        "pandas.read_excel": "pandas.DataFrame",
        "pandas.read_parquet": "pandas.DataFrame",
        "pandas.read_json": "pandas.DataFrame",
        "openpyxl.Workbook": "openpyxl.Workbook",
        "openpyxl.load_workbook": "openpyxl.Workbook",
        "zstandard.ZstdCompressor": "zstandard.ZstdCompressor",
        "zstandard.ZstdDecompressor": "zstandard.ZstdDecompressor",
    },
)
