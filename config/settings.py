"""Settings, all from the environment; `make run` fills in the rest from ``$VAR/local.json``.

Every variable is listed with its meaning in docs/operations/configuration.md.
"""

import os
from pathlib import Path
from typing import Any

from csp.constants import NONCE
from django.utils.translation import gettext_lazy as _
from psycopg.conninfo import conninfo_to_dict

from config import local

BASE_DIR = local.ROOT
VAR_DIR = local.var_dir()
_LOCAL = local.read()


def env(name: str, default: str = "") -> str:
    """Return a variable of the environment, else what `make run` remembers under that name, else ``default``."""
    return os.environ.get(name) or str(_LOCAL.get(name, default))


PRODUCT_NAME = _("Zhenbiao")
PRODUCT_NAME_BOTH = "Zhenbiao 真标"

# demo: `make run`. test: pytest. production: anything else; refuses whatever is unsafe (config/checks.py).
MODE = env("MODE", "production")
PRODUCTION = MODE not in {"demo", "test"}
DEBUG = False
PORT = int(env("PORT", "8000"))
PUBLIC_BASE_URL = env("PUBLIC_BASE_URL", f"http://localhost:{PORT}")
TRUSTED_PROXIES = env("TRUSTED_PROXIES").split()  # addresses whose X-Forwarded-For is believed
SECURE = PUBLIC_BASE_URL.startswith("https://")

SECRET_KEY = env("SECRET_KEY", "" if PRODUCTION else "insecure-outside-production")
KEK = env("KEK")
KEK_FILE = env("KEK_FILE")
ALLOWED_HOSTS = ["*"]  # a host is a row of brands.Domain; any other gets 404 from BrandMiddleware

# --- brands and their apps -------------------------------------------------------------------------------------
TENANT_MODEL = "brands.Brand"
TENANT_DOMAIN_MODEL = "brands.Domain"
TENANT_LIMIT_SET_CALLS = True
PUBLIC_SCHEMA_NAME = "public"
SHARED_APPS = [
    "django_tenants",
    "brands",
    "staff",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_cotton",
    "django_htmx",
    "ninja",
    "config",
]
TENANT_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "staff",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "common",
    "labels",
    "printing",
    "ledger",
    "sms_gateway",
    "members",
    "channel",
    "lottery",
    "redemption",
    "analytics",
    "console",
    "portal",
]
INSTALLED_APPS = [*SHARED_APPS, *(app for app in TENANT_APPS if app not in SHARED_APPS)]
ROOT_URLCONF = "config.urls"
PUBLIC_SCHEMA_URLCONF = "config.urls_public"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "staff.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- databases --------------------------------------------------------------------------------------------------
DB_ROLE = os.environ.get("DB_ROLE", "app")
DATABASE_URL = env("DATABASE_URL")
DATABASE_OWNER_URL = env("DATABASE_OWNER_URL") or DATABASE_URL


IDLE_MS = 120_000 if MODE == "test" else 10_000  # a test is one transaction, however slow the machine


def database(url: str, *, statement_timeout_ms: int) -> dict[str, Any]:
    """Return Django's form of a ``postgresql://`` URL, with the connection settings that never hang."""
    parts = conninfo_to_dict(url or "postgresql://localhost/zhenbiao")
    return {
        "ENGINE": "common.postgresql",
        "NAME": parts.get("dbname"),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": str(parts.get("port", "")),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 3,
            "tcp_user_timeout": 3000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "options": (
                f"-c statement_timeout={statement_timeout_ms} -c lock_timeout=2000"
                f" -c idle_in_transaction_session_timeout={IDLE_MS} -c timezone=UTC -c random_page_cost=1.1"
                # The statements that are prepared (common.db.ask) take arrays: one plan fits every batch.
                " -c plan_cache_mode=force_generic_plan"
            ),
        },
    }


DATABASES = {
    "default": database(DATABASE_OWNER_URL, statement_timeout_ms=0)
    if DB_ROLE == "owner"
    else database(DATABASE_URL, statement_timeout_ms=int(env("STATEMENT_TIMEOUT_MS", "5000")))
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]

# --- cache, budgets, broker --------------------------------------------------------------------------------------
CACHE_URL = env("CACHE_URL")
STORE_TIMEOUT_S = 5.0 if MODE == "test" else 0.2  # tests share a busy machine, and none of them is about a slow answer
BROKER_URL = env("BROKER_URL")
CACHES = {
    "default": {
        "BACKEND": "common.cache.ForgivingCache",
        "LOCATION": CACHE_URL,
        "KEY_FUNCTION": "django_tenants.cache.make_key",
        "REVERSE_KEY_FUNCTION": "django_tenants.cache.reverse_key",
        "OPTIONS": {"socket_timeout": STORE_TIMEOUT_S, "socket_connect_timeout": STORE_TIMEOUT_S},
    }
    if CACHE_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "KEY_FUNCTION": "django_tenants.cache.make_key"}
}
FAILURE_BUDGET_SCALE = int(env("FAILURE_BUDGET_SCALE", "1"))
COLLECTOR_THREADS = int(env("COLLECTOR_THREADS", "2"))
COLLECTOR_ENABLED = env("COLLECTOR_ENABLED", "1") == "1"

# --- web ---------------------------------------------------------------------------------------------------------
MIDDLEWARE = [
    "config.middleware.HealthMiddleware",
    "config.middleware.BrandMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.BodyLimitMiddleware",
    "config.middleware.ApiMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "staff.middleware.StaffMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
]
APPEND_SLASH = False
CSRF_FAILURE_VIEW = "config.errors.csrf_failed"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django_cotton.cotton_loader.Loader",
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "builtins": ["django_cotton.templatetags.cotton", "common.templatetags.show"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "config.context.product",
                "console.navigation.context",
                "portal.door.frame",
            ],
        },
    }
]
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if MODE != "test"
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

_SELF = "'self'"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": [_SELF, NONCE],
        "style-src": [_SELF, NONCE],
        "img-src": [_SELF, "data:", "blob:"],
        "font-src": [_SELF],
        "connect-src": [_SELF],
        "media-src": [_SELF],
        "worker-src": [_SELF],
        "manifest-src": [_SELF],
        "form-action": [_SELF],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
_PREFIX = "__Host-" if SECURE else ""
SESSION_COOKIE_NAME = f"{_PREFIX}session"
CSRF_COOKIE_NAME = f"{_PREFIX}csrf"
LANGUAGE_COOKIE_NAME = "lang"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = False
# W008: TLS ends at the proxy, which redirects.
SILENCED_SYSTEM_CHECKS = ["security.W008"]
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
LARGER_BODIES = {
    "/console/cases/check": 50_000_000,  # photographs, each at most 12 MB
    "/console/cases/photo": 12_500_000,
    "/console/templates/art": 5_500_000,
    "/console/claims/document": 8_500_000,
    "/console/draws/value": 8_500_000,
    "/console/prize-codes/add": 4_500_000,
    "/me/prizes/document": 8_500_000,
    "/portal/answers": 25_500_000,
}

# --- staff sign-in -----------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "/console/sign-in"
LOGIN_REDIRECT_URL = "/console/"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "/console/sign-in"
ACCOUNT_ADAPTER = "staff.adapters.StaffAdapter"
ACCOUNT_FORMS = {"login": "staff.forms.SignInForm"}
ACCOUNT_SESSION_REMEMBER = True  # until staff.middleware ends it: 12 hours, or 30 idle minutes
ACCOUNT_RATE_LIMITS = {"login": "300/m/ip"}  # sign-in has failure budgets of its own; allauth's guard the codes
MFA_ADAPTER = "staff.adapters.StaffMfaAdapter"
STAFF_MFA = env("STAFF_MFA", "required" if PRODUCTION else "optional")
MFA_TOTP_ISSUER = "Zhenbiao"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher"
    if MODE != "test"
    else "django.contrib.auth.hashers.MD5PasswordHasher"
]

# --- languages and time --------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = USE_TZ = True
TIME_ZONE = "UTC"

# --- messages and calls ----------------------------------------------------------------------------------------------
# The simulator is refused in production unless it is named.
SMS_CARRIERS = env("SMS_CARRIERS", "twilio kannel aliyun" if PRODUCTION else "twilio kannel aliyun simulator").split()
SMS_DECIDERS = int(env("SMS_DECIDERS", "4"))  # threads of each web process that keep and decide messages
SMS_QUIET_HOURS = env("SMS_QUIET_HOURS", "21-8")  # of the brand's day: no marketing
SMS_CURRENCY = env("SMS_CURRENCY", "CNY")

# --- prizes ----------------------------------------------------------------------------------------------------------
# A class as lottery.payers.Payer; empty: cash prizes are paid by hand. The simulator is refused in production.
PAYOUT_ADAPTER = env("PAYOUT_ADAPTER", "" if PRODUCTION else "lottery.payers.Simulator")

# --- hooks of lower floors, filled in by higher ones ---------------------------------------------------------------
# Modules as members.personal.PersonalDataHolder, asked at export and erasure.
PERSONAL_DATA_HOLDERS = ["lottery.personal", "redemption.personal", "redemption.reports"]
LEDGER_CAUSES = {"redemption": "console.causes.redemption"}  # cause → text and page, for the ledger's own pages
SMS_HANDLER = "redemption.sms.answer_many"  # (texts) -> replies: see sms_gateway/doors.py
VOICE_HANDLER = "redemption.voice.answer"  # (CallStep) -> VoiceAnswer
SMS_ROUTER = "redemption.sms.slot_of"  # (text) -> (form, slot) | None
CASE_PHOTOS_DAYS = int(env("CASE_PHOTOS_DAYS", "1095"))  # of photographs, after their file was closed
PARTNER_ANSWER_DAYS = int(env("PARTNER_ANSWER_DAYS", "10"))  # working days to answer a question about goods
PARTNER_QUESTIONS = "portal.replies.waiting"  # (partner id, moment) → list of portal.questions.Question
SCAN_HANDLER = "analytics.tasks.after_scans" if MODE != "test" else ""  # (scan ids), after their commit

# --- work for later -------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = BROKER_URL
CELERY_WORKER_HIJACK_ROOT_LOGGER = False  # workers write the lines of config.logs, not lines of their own
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 3600
CELERY_TASK_SOFT_TIME_LIMIT = 3500
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 7200, "socket_connect_timeout": 1}
CELERY_TASK_IGNORE_RESULT = True
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {  # each is sent once for every brand
    "generate what was forsaken": {"task": "labels.tasks.sweep", "schedule": 60.0},
    "print what was forsaken, and end links": {"task": "printing.tasks.sweep", "schedule": 60.0},
    "bundle evidence that was forsaken": {"task": "analytics.tasks.sweep_bundles", "schedule": 60.0},
    "forget old one-time codes": {"task": "members.tasks.forget_old_codes", "schedule": 3600.0},
    "answer and send what waits": {"task": "sms_gateway.tasks.sweep", "schedule": 30.0},
    "forget old messages": {"task": "sms_gateway.tasks.forget_old_messages", "schedule": 6 * 3600.0},
    "lapse what nobody claimed": {"task": "members.tasks.lapse_pending", "schedule": 3600.0},
    "take in what nobody confirmed": {"task": "channel.tasks.receive_what_nobody_did", "schedule": 3600.0},
    "go on with events of goods": {"task": "channel.tasks.go_on_with_events", "schedule": 300.0},
    "even out budgets": {"task": "lottery.tasks.rebalance", "schedule": 60.0},
    "close campaigns": {"task": "lottery.tasks.close_due", "schedule": 300.0},
    "go on with dry runs": {"task": "lottery.tasks.rehearse_forsaken", "schedule": 120.0},
    "open, draw and close games": {"task": "lottery.tasks.go_on", "schedule": 30.0},
    "report on fairness": {"task": "analytics.tasks.report_fairness", "schedule": 900.0},
    "care for claims of prizes": {"task": "lottery.tasks.care_for_claims", "schedule": 60.0},
    "close batches that have ended": {"task": "redemption.tasks.close_ended", "schedule": 3600.0},
    "forget places and failures": {"task": "redemption.tasks.forget_old", "schedule": 3600.0},
    "judge scans by late documents": {"task": "redemption.tasks.sweep_documents", "schedule": 30.0},
    "end what lifted cautions hold": {"task": "redemption.tasks.end_held", "schedule": 300.0},
    "judge shipments again": {"task": "analytics.tasks.rescore_touched", "schedule": 15.0},
    "count hours": {"task": "analytics.tasks.count_hours", "schedule": 60.0},
    "count days": {"task": "analytics.tasks.count_days", "schedule": 900.0},
    # done once a day, but sent more often: a day ends when the brand's does
    "fit diversion": {"task": "analytics.tasks.fit_all", "schedule": 3600.0},
    "forget photographs of old files": {"task": "analytics.tasks.forget_old_photos", "schedule": 6 * 3600.0},
    "expire lots": {"task": "ledger.tasks.expire_lots", "schedule": 900.0},
    "expire holds": {"task": "ledger.tasks.expire_holds", "schedule": 300.0},
    "seal the ledger": {"task": "ledger.tasks.seal", "schedule": 300.0},
    "send out the day's seal": {"task": "ledger.tasks.publish_seal", "schedule": 3600.0},
}
CELERY_TASK_ROUTES = {
    "brands.tasks.*": {"queue": "owner"},
    # a person is waiting for a code: nothing else stands before it
    "sms_gateway.tasks.send_waiting": {"queue": "messages"},
    "sms_gateway.tasks.sweep": {"queue": "messages"},
    "sms_gateway.tasks.simulate_reports": {"queue": "messages"},
    # minutes of work, which nothing else waits behind
    "labels.tasks.generate": {"queue": "long"},
    "printing.tasks.build": {"queue": "long"},
    "analytics.tasks.fit_all": {"queue": "long"},
    "analytics.tasks.make_bundle": {"queue": "long"},
}

# --- draws ----------------------------------------------------------------------------------------------------------
DRAW_BEACON = env("DRAW_BEACON", "quicknet" if PRODUCTION else "private")
DRAND_RELAYS = env("DRAND_RELAYS", "https://api.drand.sh https://api2.drand.sh https://drand.cloudflare.com").split()

# --- ledger ---------------------------------------------------------------------------------------------------------
SEALS_FOLDER = env("SEALS_FOLDER", str(VAR_DIR / "seals"))  # the last seal of each day is written here
SEALS_URL = env("SEALS_URL")  # and sent here by POST (https only)

# --- goods ----------------------------------------------------------------------------------------------------------
CHANNEL_TRANSFER_BY_BRAND = env("CHANNEL_TRANSFER_BY_BRAND", "1") == "1"  # transfers need the brand's consent too
CHANNEL_AUTO_RECEIPT_DAYS = int(env("CHANNEL_AUTO_RECEIPT_DAYS", "7"))  # 0: what nobody confirms stays on its way
EVENT_SOURCES = [  # of channel.telling.Source: facts that are told as events of EPCIS, beside documents of goods
    "channel.facts.PRINTED",
    "channel.facts.ACTIVATED",
    "channel.facts.NOT_ACTIVATED",
    "channel.facts.BLOCKED",
    "channel.facts.LIFTED",
    "redemption.events.SOLD",
    "analytics.events.INSPECTED",
]
SSCC_ISSUER = "console.packs.issue"  # () -> the next SSCC of the brand
PRINTED_PACKS = "console.packs.printed"  # (SSCCs) -> [channel.packing.Pack]: packs that a print knows, not yet goods

# --- places ---------------------------------------------------------------------------------------------------------
IP_PLACES_FILE = env("IP_PLACES_FILE")  # .mmdb or .xdb, read again when replaced; without it addresses tell no place
REGION_POLYGONS_FILE = env(
    "REGION_POLYGONS_FILE"
)  # GeoJSON, read again when replaced; without it the nearest city counts
REGION_POLYGONS_PROPERTY = env("REGION_POLYGONS_PROPERTY", "code")
MAP_BASE = env("MAP_BASE")  # GeoJSON under maps, or "none"; without it the world's outlines, and none for China
MAP_ATTRIBUTION = env("MAP_ATTRIBUTION")  # stands beside maps and in what is exported of them; in China the 审图号

# --- labels ---------------------------------------------------------------------------------------------------------
LABELS_MAX_ODDS = float(env("LABELS_MAX_ODDS", "1e-6"))

LOGGING_CONFIG = "config.logs.configure"
LOGGING: dict[str, Any] = {"level": env("LOG_LEVEL", "INFO")}
NINJA_PAGINATION_MAX_LIMIT = 200
CONFIG_DIR = Path(__file__).parent
