//! The order in which the addresses of a host are tried.

use std::net::SocketAddr;

/// The addresses to try: IPv6 and IPv4 in turn for as long as there are both, IPv6 first, at most
/// `attempts_max` (RFC 8305, section 4, with a "First Address Family Count" of 1). Within a family
/// the caller's order stays, which is the resolver's (RFC 6724). An address that comes twice is
/// tried once.
pub(super) fn attempt_order(addresses: &[SocketAddr], attempts_max: usize) -> Vec<SocketAddr> {
    let mut families =
        [true, false].map(|ipv6| addresses.iter().filter(move |it| it.is_ipv6() == ipv6));
    let mut order = Vec::new();
    let (mut turn, mut exhausted) = (0, 0);
    while order.len() < attempts_max && exhausted < families.len() {
        match families[turn].find(|address| !order.contains(*address)) {
            Some(address) => {
                order.push(*address);
                exhausted = 0;
            }
            None => exhausted += 1,
        }
        turn = 1 - turn;
    }
    order
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn order_of(addresses: &[&str], attempts_max: usize) -> Vec<String> {
        let addresses: Vec<_> = addresses.iter().map(|it| it.parse().expect("valid")).collect();
        attempt_order(&addresses, attempts_max).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_families_take_turns() {
        let given = ["192.0.2.1:80", "192.0.2.2:80", "[2001:db8::1]:80", "192.0.2.3:80"];
        let order = ["[2001:db8::1]:80", "192.0.2.1:80", "192.0.2.2:80", "192.0.2.3:80"];
        assert_eq!(order_of(&given, 16), order);
        assert_eq!(order_of(&given, 2), order[..2]);
        let given = ["[2001:db8::1]:80", "[2001:db8::2]:80", "[2001:db8::3]:80", "192.0.2.1:80"];
        let order = ["[2001:db8::1]:80", "192.0.2.1:80", "[2001:db8::2]:80", "[2001:db8::3]:80"];
        assert_eq!(order_of(&given, 16), order);
    }

    #[test]
    fn one_family_keeps_its_order() {
        assert_eq!(
            order_of(&["192.0.2.9:80", "192.0.2.1:80", "192.0.2.9:80", "192.0.2.9:81"], 16),
            ["192.0.2.9:80", "192.0.2.1:80", "192.0.2.9:81"]
        );
        assert!(order_of(&[], 16).is_empty());
        assert!(order_of(&["192.0.2.9:80"], 0).is_empty());
    }

    /// Few values, so that some come twice.
    fn address() -> impl Strategy<Value = SocketAddr> {
        (any::<bool>(), 0..6u16, 80..82u16).prop_map(|(ipv6, host, port)| match ipv6 {
            true => (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host), port).into(),
            false => (Ipv4Addr::new(192, 0, 2, host as u8), port).into(),
        })
    }

    fn of_family(addresses: &[SocketAddr], ipv6: bool) -> Vec<SocketAddr> {
        addresses.iter().copied().filter(|it| it.is_ipv6() == ipv6).collect()
    }

    proptest! {
        #[test]
        fn what_always_holds(
            addresses in prop::collection::vec(address(), 0..20),
            attempts_max in 0..24usize,
        ) {
            let all = attempt_order(&addresses, usize::MAX);
            let mut seen = HashSet::new();
            let mut unique = addresses.clone();
            unique.retain(|it| seen.insert(*it));
            // Each address once, and the order of a family is the given one.
            for ipv6 in [true, false] {
                prop_assert_eq!(of_family(&all, ipv6), of_family(&unique, ipv6));
            }
            // The families alternate until the smaller one is used up, IPv6 first.
            let pairs = of_family(&all, true).len().min(of_family(&all, false).len());
            for (at, address) in all[..2 * pairs].iter().enumerate() {
                prop_assert_eq!(address.is_ipv6(), at % 2 == 0);
            }
            // The limit cuts the end off and changes nothing else.
            let kept = &all[..attempts_max.min(all.len())];
            prop_assert_eq!(attempt_order(&addresses, attempts_max), kept);
        }
    }
}
