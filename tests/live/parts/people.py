"""Another person with an account of their own, made as people do it: by the invitation link."""

from __future__ import annotations

import requests

from labelstudio_orm.testing import LocalLabelStudio


def sign_up(server: LocalLabelStudio, email: str) -> str:
    """Sign up in the browser's way; returns the person's legacy token."""
    admin = {"Authorization": f"Token {server.api_key}"}
    invite = requests.get(f"{server.url}/api/invite", headers=admin, timeout=60).json()
    page = server.url + invite["invite_url"]
    with requests.Session() as browser:
        browser.get(page, timeout=60).raise_for_status()
        form = {"email": email, "password": "a-long-password"}
        form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
        browser.post(page, form, headers={"Referer": page}, timeout=60).raise_for_status()
        answer = browser.get(f"{server.url}/api/current-user/token", timeout=60)
        answer.raise_for_status()
        return str(answer.json()["token"])
