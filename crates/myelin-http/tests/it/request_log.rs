//! What the log says about a request, and what it must not say.

use std::{
    io::{self, Write},
    sync::Arc,
};

use parking_lot::Mutex;
use tempfile::TempDir;
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    router,
    support::{app, send},
};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn with(&self, word: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains(word));
        lines.map(str::to_owned).collect()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_failure_is_logged_once_with_its_sources_and_no_token() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let router = router(&app);
    let path = "/fail/driver?access_token=TOKENQUERY";
    send(&router, "GET", path, Some("TOKENHEADER"), "").await;
    send(&router, "GET", "/fail/full", None, "").await;
    send(&router, "GET", "/nothing/TOKENPATH", None, "").await;

    let errors = lines.with("ERROR");
    assert_eq!(errors.len(), 1, "{errors:?}");
    for word in [
        "the database refused a statement: a secret of the database",
        "method=GET",
        "path=\"/fail/{kind}\"",
        "id=\"",
    ] {
        assert!(errors[0].contains(word), "{word}: {errors:?}");
    }
    assert_eq!(lines.with("WARN").len(), 1);
    assert_eq!(lines.with("took_ms=0").len(), 3);
    assert_eq!(lines.with("status=404").len(), 1);
    assert_eq!(lines.with("TOKEN"), [""; 0]);
}
