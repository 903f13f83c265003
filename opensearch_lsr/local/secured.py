"""A node behind TLS and a login: a private certificate authority and the administrator's password, made on the spot.

They are made by the tools that come with Java and with the security plugin, stay in the node's folder ``security``,
which only its owner can enter, and go when the node is wiped. The authority's own key is thrown away: it signs once.
"""

from __future__ import annotations

import secrets
import shutil
import ssl
import subprocess
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local.home import whole_folder
from opensearch_lsr.local.release import Release

USERNAME = "admin"
_PLUGIN, _HASHER = "opensearch-security", "org.opensearch.security.tools.Hasher"
_CA, _PASSWORD, _KEY, _TRUST, _USERS = "ca.pem", "admin-password", "node.p12", "trust.p12", "internal_users.yml"
_USER = """_meta: {{type: internalusers, config_version: 2}}
admin: {{hash: '{hash}', reserved: false, backend_roles: [admin]}}
"""
_ROLES = """_meta: {type: rolesmapping, config_version: 2}
all_access: {reserved: false, backend_roles: [admin]}
"""
_NAME = "CN=opensearch-lsr node"
_STORE = "changeit"  # Java's and the plugin's default: what guards the stores is who may read them
_STORES = {
    "keystore_type": "PKCS12",
    "keystore_filepath": _KEY,
    "keystore_alias": "node",
    "truststore_type": "PKCS12",
    "truststore_filepath": _TRUST,
}
_SETTINGS: dict[str, object] = {
    **{f"plugins.security.ssl.transport.{key}": value for key, value in _STORES.items()},
    **{f"plugins.security.ssl.http.{key}": value for key, value in _STORES.items()},
    "plugins.security.ssl.http.enabled": True,
    "plugins.security.nodes_dn": [_NAME],
    "plugins.security.allow_default_init_securityindex": True,
    "plugins.security.restapi.roles_enabled": ["all_access"],
    # as the plugin's own installer sets them: what ML Commons keeps is reached through its API only
    "plugins.security.system_indices.enabled": True,
    "plugins.security.system_indices.indices": [".plugins-ml-*"],
}


@dataclass(frozen=True)
class Login:
    """What a client of a secured node needs. The password stays in its file, which only the owner can read."""

    ca_certs: Path
    password_file: Path

    def header(self) -> str:
        """The value of ``Authorization``."""
        return "Basic " + b64encode(f"{USERNAME}:{self.password_file.read_text()}".encode()).decode()

    def trust(self) -> ssl.SSLContext:
        """Trusts the node's authority and no other."""
        return ssl.create_default_context(cafile=str(self.ca_certs))


def check(release: Release) -> None:
    """Refuse a release without the security plugin.

    Raises:
        NodeError: naming one that has it.
    """
    if not _has_plugin(release):
        raise NodeError(f"OpenSearch {release.version} is run without its security plugin: choose --version 2.19.1")


def login(folder: Path) -> Login | None:
    """What the node of that folder is secured with; None where it is not."""
    made = folder / "security"
    return Login(made / _CA, made / _PASSWORD) if made.is_dir() else None


def make(folder: Path, server: Path, java_home: Path) -> Login:
    """Make certificates and password, unless a former start did: the node's data holds that password.

    Args:
        folder: the node's.
        server: whose security plugin hashes the password.
        java_home: whose keytool makes the certificates.

    Raises:
        NodeError: when one of the tools fails.
    """
    target = folder / "security"
    if not target.is_dir():
        with whole_folder(target) as draft:
            draft.chmod(0o700)
            _certificates(draft, java_home)
            password = secrets.token_urlsafe(24)
            (draft / _PASSWORD).write_text(password)
            (draft / _PASSWORD).chmod(0o600)
            jars = f"{server}/plugins/{_PLUGIN}/*:{server}/lib/*"
            hashed = _run(java_home, "java", ["-cp", jars, _HASHER, "-env", "PASSWORD"], password)
            (draft / _USERS).write_text(_USER.format(hash=hashed.split()[-1]))
    return Login(target / _CA, target / _PASSWORD)


def place(folder: Path, config: Path) -> None:
    """Put what the node itself reads into its config folder: the administrator is its only user, by no default role."""
    places = {_KEY: config, _TRUST: config, _USERS: config / _PLUGIN}
    for name, target in places.items():
        shutil.copy(folder / "security" / name, target)
        (target / name).chmod(0o600)
    (config / _PLUGIN / "roles_mapping.yml").write_text(_ROLES)


def settings(release: Release, login: Login | None) -> dict[str, object]:
    """The node's settings; without a login the plugin, where there is one, stays out of the way."""
    if login:
        return _SETTINGS
    return {"plugins.security.disabled": True} if _has_plugin(release) else {}


def _has_plugin(release: Release) -> bool:
    return any(plugin.name == _PLUGIN for plugin in release.plugins)


def _certificates(folder: Path, java_home: Path) -> None:
    """An authority, a certificate of its for loopback, and its own as PEM and as a trust store."""
    key = ["-keystore", str(folder / _KEY), "-storetype", "PKCS12"]
    trust = ["-keystore", str(folder / _TRUST), "-storetype", "PKCS12"]
    ca = str(folder / _CA)
    new = ["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "3650", *key]
    of_authority = ["-dname", "CN=opensearch-lsr authority", "-ext", "bc:c", "-ext", "ku:c=keyCertSign"]
    of_node = ["-dname", _NAME, "-ext", "san=ip:127.0.0.1,dns:localhost", "-ext", "eku=serverAuth,clientAuth"]
    for arguments in (
        [*new, "-alias", "ca", *of_authority],
        [*new, "-alias", "node", *of_node, "-signer", "ca"],
        ["-exportcert", "-rfc", "-alias", "ca", "-file", ca, *key],
        ["-importcert", "-noprompt", "-alias", "ca", "-file", ca, *trust],
        ["-delete", "-alias", "ca", *key],
    ):
        _run(java_home, "keytool", [*arguments, "-storepass:env", "PASSWORD"], _STORE)


def _run(java_home: Path, tool: str, arguments: list[str], password: str) -> str:
    """Run a tool of Java's, the password in its environment: everyone can see a command line."""
    command = [str(java_home / "bin" / tool), *arguments]
    done = subprocess.run(command, env={"PASSWORD": password}, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise NodeError(f"securing the node: {tool} failed: {' '.join(lines[:1])[:300]}")
    return done.stdout
