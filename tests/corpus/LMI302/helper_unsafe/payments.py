import time

import requests


def charge(amount):
    answer = requests.post("https://payments.example/charge", json={"amount": amount}, timeout=5)  # unsafe: LMI302
    if answer.status_code == 429:
        time.sleep(1)  # unsafe: LMI302
    return answer.ok
