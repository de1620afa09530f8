//! What went wrong behind a test's back: logged errors, and panics in tasks.
//!
//! Records are kept for the whole process, because a server's threads cannot be told apart: tests
//! run one per process (nextest), or one after the other.

use std::{fmt::Write, panic, sync::Once};

use parking_lot::Mutex;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer, layer::Context, layer::SubscriberExt, util::SubscriberInitExt,
};

static RECORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static EXPECTED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static START: Once = Once::new();

/// Starts to collect; `RUST_LOG` chooses what a failed test shows of the log.
pub(crate) fn collect() {
    START.call_once(|| {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let printed = tracing_subscriber::fmt::layer()
            .with_test_writer()
            .without_time()
            .with_filter(filter);
        // Whoever set a subscriber before us has chosen to look at the log in another way.
        let _ = tracing_subscriber::registry()
            .with(printed)
            .with(Collector)
            .try_init();
        let default_hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            RECORDS.lock().push(format!("panic: {info}"));
            default_hook(info);
        }));
    });
}

/// Errors and panics that contain this text do not fail the test.
pub(crate) fn expect(text: &str) {
    EXPECTED.lock().push(text.to_owned());
}

/// What was recorded and is not expected; the next test begins with nothing.
pub(crate) fn take_unexpected() -> Vec<String> {
    let expected = std::mem::take(&mut *EXPECTED.lock());
    let mut records = std::mem::take(&mut *RECORDS.lock());
    records.retain(|record| !expected.iter().any(|text| record.contains(text)));
    records
}

struct Collector;

impl<S: Subscriber> Layer<S> for Collector {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == Level::ERROR {
            let mut text = Text(event.metadata().target().to_owned());
            event.record(&mut text);
            RECORDS.lock().push(text.0);
        }
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}
