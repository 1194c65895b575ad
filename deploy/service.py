"""One service in a process of its own, on Kafka, told everything by its environment: `trellis service NAME`."""

import asyncio
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared import runtime, telemetry
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_cluster import Cluster
from shared.runtime import Service


class KafkaSettings(BaseSettings):
    """Where Kafka is, and how to get in."""

    model_config = SettingsConfigDict(env_prefix="KAFKA_", frozen=True, extra="ignore")

    bootstrap_servers: str = Field(description="host:port of one or more brokers, with commas between")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How to connect"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="How to prove who we are, with SASL"
    )
    username: str | None = Field(default=None, description="The user, with SASL")
    password: str | None = Field(default=None, repr=False, description="The user's password, with SASL")

    @property
    def cluster(self) -> Cluster:
        return Cluster(
            self.bootstrap_servers, self.security_protocol, self.sasl_mechanism, self.username, self.password
        )


class ProcessSettings(BaseSettings):
    """How the process of one service runs."""

    model_config = SettingsConfigDict(env_prefix="TRELLIS_", frozen=True, extra="ignore")

    bus: Literal["kafka"] = Field(default="kafka", description="The bus between processes")
    instance: str = Field(default="0", description="Tells several processes of one service apart; kept at a restart")
    facts_per_batch: int = Field(default=5_000, ge=1, description="The most facts heard in one transaction")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="What is logged")
    log_traces: bool = Field(default=False, description="Log every span of a trace")


def build(name: str) -> Service:
    """The service of this name, with the settings of its prefix, TRELLIS_<SERVICE>_."""
    match name:
        case "roster":
            from services.roster import main as roster

            return roster.build(roster.Settings())
        case "assessment":
            from services.assessment import main as assessment

            return assessment.build(assessment.Settings())
        case "mastery":
            from services.mastery import main as mastery

            return mastery.build(mastery.Settings())
        case "partnership":
            from services.partnership import main as partnership

            return partnership.build(partnership.Settings())
        case "gateway":
            from services.gateway import main as gateway

            return gateway.build(gateway.Settings())
    raise LookupError(f"there is no service {name}; roster, assessment, mastery, partnership and gateway are")


async def serve(name: str, host: str, port: int) -> None:
    """Serve, relay and listen until SIGINT or SIGTERM. Raises what made it fail: whoever runs it starts it again."""
    settings, kafka = ProcessSettings(), KafkaSettings()
    telemetry.configure(name, level=settings.log_level, traces=settings.log_traces)
    told = runtime.until_told()
    service = build(name)
    bus = KafkaBus(kafka.cluster, name=name, instance=settings.instance, facts_per_batch=settings.facts_per_batch)
    try:
        with runtime.bind(host, port) as listening:
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(runtime.run(service, bus, listening))
                await told.wait()
                serving.cancel()
    finally:
        await bus.close()
