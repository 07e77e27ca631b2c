"""Polylambda beside the programs that AWS ships: the emulator, awslambdaric, boto3 and the AWS CLI."""
