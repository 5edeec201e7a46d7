"""FastAPI under what watches applications: Sentry, to whoever SENTRY_DSN names, and OpenTelemetry, whose
spans go to standard error."""

import asyncio
import sys

import sentry_sdk
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from contract import fail, greeting


class ToStandardError(SpanExporter):
    def export(self, spans):
        for span in spans:
            print(f"span: {span.name} {span.kind.name} {span.context.trace_id:032x} {dict(span.attributes)}", file=sys.stderr, flush=True)
        return SpanExportResult.SUCCESS


sentry_sdk.init(traces_sample_rate=0, auto_session_tracking=False, debug=False)
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ToStandardError()))
trace.set_tracer_provider(provider)
# What FastAPI tells OpenTelemetry by itself would hide whether the middleware works.
application = FastAPI(telemetry={"tracing": False})


@application.get("/")
async def greet(name: str):
    """What one request sets is not seen by another that runs at the same time."""
    sentry_sdk.set_tag("name", name)
    with trace.get_tracer(__name__).start_as_current_span("inner"):
        await asyncio.sleep(0.01)
    return greeting(name)


@application.get("/error")
def error():
    fail()


FastAPIInstrumentor.instrument_app(application)
