"""All settings of the application, read from the environment here and nowhere else."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import UserError

ASSETS = Path(__file__).resolve().parent.parent / "assets"


class Settings(BaseSettings):
    """Settings with their limits; each is set by an environment variable `CALM_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="CALM_", extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(7860, ge=0, le=65535)
    data_dir: Path = Path("data")
    database_url: str = Field("", description="SQLAlchemy address; SQLite in the data folder when empty")
    offline: bool = Field(False, description="never touch the Hub")
    admin_password: str = Field("", description="opens /admin; closed without it, but for the owner of a Space")
    admin_users: list[str] = Field(default=[], description="names on the Hub that may administer, beside the owner")
    max_study_mb: float = Field(600.0, gt=0, description="largest zip of a study in the administration")
    journal_repo: str = Field("", description="dataset on the Hub that keeps the records")
    journal_minutes: float = Field(2.0, ge=0.6, description="between two pushes to it")
    secret_key: str = Field("", description="signs trials; made and kept in the data folder when empty")

    default_model: str = "calm-tts-en"
    default_continuation: str = "calm-continuation-en"
    default_music: str = "calm-music"
    default_codec: str = "calm-codec-speech"
    default_voice: str = "slt"
    extra_models: list[Path] = Field(default=[], description="folders or YAML files offered beside the known models")
    extra_continuations: list[Path] = Field(default=[], description="the same for the tab that continues speech")
    extra_music: list[Path] = Field(default=[], description="the same for the tabs of music")
    extra_codecs: list[Path] = Field(default=[], description="the same for the codec tab")

    max_text_chars: int = Field(5000, ge=1)
    min_prompt_seconds: float = Field(1.0, gt=0)
    max_prompt_seconds: float = Field(60.0, gt=0, description="longest sound that a voice is cloned from")
    max_continuation_seconds: float = Field(60.0, ge=1, le=120, description="longest new sound of a continuation")
    max_music_seconds: float = Field(60.0, ge=1, le=120, description="longest new music")
    max_music_prompt_seconds: float = Field(60.0, ge=1, le=60, description="longest prompt or reference sound of music")
    max_music_variants: int = Field(4, ge=1, le=6, description="made in one pass")
    max_music_steps: int = Field(100, ge=1, le=128)
    max_caption_chars: int = Field(1000, ge=1, le=1000, description="longest description of music")
    max_codec_seconds: float = Field(60.0, gt=0)
    max_upload_mb: float = Field(20.0, gt=0)
    max_saved_voices: int = Field(20, ge=0, description="saved voices of one visitor")
    queue_size: int = Field(16, ge=0, description="runs that may wait for a place")
    concurrency: int = Field(2, ge=1, description="runs at the same time")
    run_ttl_seconds: float = Field(60.0, gt=0, description="a run that nobody listens to is forgotten after this")
    loaded_models: int = Field(8, ge=1, description="models kept in memory")
    clip_cache_mb: float = Field(512.0, ge=0)
    warm_up_timeout_seconds: float = Field(120.0, gt=0)

    arena: bool = Field(True, description="whether there is an arena")
    arena_file: Path = Field(ASSETS / "arena.yaml", description="what meets in it")
    arena_text_chars: int = Field(300, ge=1, description="longest text of a visitor")
    arena_minutes: float = Field(30.0, gt=0, description="a pair that nobody voted on is void after this")
    arena_pairs_per_hour: int = Field(60, ge=1, description="of one visitor")
    arena_pairs_per_address: int = Field(240, ge=1, description="in an hour, of all visitors at one address")

    @property
    def examples_dir(self) -> Path:
        """The pre-rendered example clips."""
        return ASSETS / "examples"

    @property
    def prompts_dir(self) -> Path:
        """The bundled recordings that a continuation may start from."""
        return ASSETS / "voices"

    @property
    def music_prompts_dir(self) -> Path:
        """The bundled pieces that music may start from."""
        return ASSETS / "music"

    def resolved_database_url(self) -> str:
        """The address of the database, SQLite in the data folder by default."""
        if self.database_url:
            return self.database_url
        self.data_dir.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{self.data_dir.resolve() / 'calm.sqlite3'}"

    @property
    def records_dir(self) -> Path:
        """What has to outlive the disk: the journal of the listening tests and their sounds."""
        return self.data_dir / "studies"

    @property
    def media_dir(self) -> Path:
        """The sounds of the studies; see `app.db.records`."""
        return self.records_dir / "media"

    def admin_owners(self) -> frozenset[str]:
        """Names on the Hub that may administer, where the Space signs people in (`hf_oauth` in the README)."""
        if not (on_space() and os.environ.get("OAUTH_CLIENT_ID")):
            return frozenset()
        return frozenset({*self.admin_users, os.environ.get("SPACE_AUTHOR_NAME", "")}) - {""}

    def resolved_journal_repo(self) -> str:
        """The dataset that keeps the records: on a Space with a token one beside it, nowhere else by default."""
        if self.offline:
            return ""
        own = f"{os.environ['SPACE_ID']}-records" if on_space() and os.environ.get("HF_TOKEN") else ""
        return self.journal_repo or own

    def resolved_secret_key(self) -> str:
        """The signing key; made once and kept in the data folder, readable by its owner only."""
        if self.secret_key:
            return self.secret_key
        if on_space() and os.environ.get("HF_TOKEN"):  # no disk keeps a key there, and links must outlive a restart
            return hmac.digest(os.environ["HF_TOKEN"].encode(), b"calm signing key", "sha256").hex()
        path = self.data_dir / "secret.key"
        if not path.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
        return path.read_text().strip()


def on_space() -> bool:
    """Whether the process runs as a Hugging Face Space."""
    return bool(os.environ.get("SPACE_ID"))


def load_settings(**overrides: object) -> Settings:
    """Read the environment; on a Space the server listens on every address.

    Args:
        overrides: values that win over the environment, such as those of the command line; None is ignored.

    Raises:
        UserError: a value cannot be used; the sentence names it.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    if on_space():
        given.setdefault("host", os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0"))
    try:
        settings = Settings(**given)  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        fault = error.errors()[0]
        name = "CALM_" + "_".join(str(part) for part in fault["loc"][:1]).upper()
        raise UserError(f"The setting {name} cannot be used ({fault['msg']}).", code="bad_setting") from None
    # Gradio and the Hub client read these names when they are imported, so they are set before either is.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if settings.offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    return settings
