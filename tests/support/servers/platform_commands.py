"""The commands of docs/platform.md."""

PREFECT_SERVER = "prefect server start"
MLFLOW_SERVER = (
    "mlflow server --backend-store-uri sqlite:///mlflow.db --artifacts-destination ./artifacts"
)
DOCTOR = "signature-gate doctor"
REGISTER = "python register.py"
CONTRACT = "signature-gate contract models:/flights@champion"
INBOX = 'mkdir -p "$SIGNATURE_GATE_HOME/feeds/flights/inbox"'
POOL = "prefect work-pool create signature-gate --type process"
DEPLOY = "prefect --no-prompt deploy --all --prefect-file deployments/prefect.yaml"
AUTOMATIONS = "prefect automation create --from-file deployments/automations.yaml"
WORKER = "prefect worker start --pool signature-gate"
ARRIVED = "prefect event emit batch.arrived --resource-id signature-gate.feed.flights"
RELEASE = (
    "prefect deployment run release-quarantined/by-hand --watch "
    "--param feed=feeds/flights.yaml --param batch=2013-07-13.parquet"
)
COMMANDS = (
    PREFECT_SERVER,
    MLFLOW_SERVER,
    DOCTOR,
    REGISTER,
    CONTRACT,
    INBOX,
    POOL,
    DEPLOY,
    AUTOMATIONS,
    WORKER,
    ARRIVED,
    RELEASE,
)
