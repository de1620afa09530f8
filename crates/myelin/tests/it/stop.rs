//! Stopping by signals.

use rustix::process::Signal;

use crate::process::Process;

#[test]
fn terminate_and_interrupt_end_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let dir = tempfile::tempdir().unwrap();
        let server = Process::start(dir.path(), &[]);
        assert!(dir.path().join("myelin.pid").exists());
        server.signal(signal);
        let (log, status) = server.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!dir.path().join("myelin.pid").exists());
    }
}
