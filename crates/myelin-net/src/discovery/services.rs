//! The order in which the servers of an SRV record are tried (RFC 2782).

use myelin_core::environment::Chance;

use crate::internet::Service;

/// By priority; within one, drawn by weight.
pub(super) fn in_order(mut services: Vec<Service>, chance: &dyn Chance) -> Vec<Service> {
    // Those of weight 0 come first, so that they are drawn only by the lowest number.
    services.sort_by(|one, other| {
        let key = |service: &Service| (service.priority, service.weight > 0);
        let by_name = || (&one.host, one.port).cmp(&(&other.host, other.port));
        key(one).cmp(&key(other)).then_with(by_name)
    });
    let mut ordered = Vec::with_capacity(services.len());
    while let Some(first) = services.first() {
        let priority = first.priority;
        let end = services.partition_point(|service| service.priority == priority);
        let total: u64 = services[..end].iter().map(weight).sum();
        let drawn = draw(chance, total);
        let mut sum = 0;
        let chosen = services[..end].iter().position(|service| {
            sum += weight(service);
            sum >= drawn
        });
        ordered.push(services.remove(chosen.unwrap_or(0)));
    }
    ordered
}

fn weight(service: &Service) -> u64 {
    u64::from(service.weight)
}

/// A number from 0 to `most`. The bias of a remainder is of no account here.
fn draw(chance: &dyn Chance, most: u64) -> u64 {
    let mut bytes = [0; 8];
    chance.fill(&mut bytes);
    u64::from_le_bytes(bytes) % (most + 1)
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    /// Draws what it was given, in turn.
    struct Drawn(Mutex<Vec<u64>>);

    impl Chance for Drawn {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0.lock().remove(0).to_le_bytes());
        }
    }

    fn order(services: &[(u16, u16, &str)], drawn: &[u64]) -> String {
        let services = services.iter().map(|(priority, weight, host)| Service {
            priority: *priority,
            weight: *weight,
            port: 1,
            host: (*host).to_owned(),
        });
        let ordered = in_order(services.collect(), &Drawn(Mutex::new(drawn.to_vec())));
        ordered.into_iter().map(|service| service.host).collect()
    }

    #[test]
    fn lower_priorities_come_first() {
        let services = [(20, 0, "c"), (10, 5, "b"), (5, 0, "a")];
        assert_eq!(order(&services, &[0, 0, 0]), "abc");
    }

    #[test]
    fn weights_decide_within_a_priority() {
        let services = [(1, 10, "a"), (1, 90, "b"), (1, 0, "z")];
        assert_eq!(order(&services, &[0, 1, 0]), "zab");
        assert_eq!(order(&services, &[10, 90, 0]), "abz");
        assert_eq!(order(&services, &[11, 0, 0]), "bza");
    }
}
