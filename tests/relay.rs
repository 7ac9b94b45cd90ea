//! Objects over a line that is late, pauses, and resets connections.

use std::time::Duration;

use hydrant::{Hydrant, PutOptions};
use hydrant_tests::{PART, Relay, Weather, World, noise, read_all};

/// A client of the world's server whose bytes go through the relay.
fn client_through(world: &World, relay: &Relay) -> Hydrant {
    let mut env = world.env();
    env[0] = ("AWS_ENDPOINT_URL", relay.url());
    world.client_with(|builder| {
        builder.env(move |name: &str| {
            env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        })
    })
}

#[test]
fn objects_come_whole_although_connections_are_reset_in_the_middle() {
    let world = World::new();
    let object = noise(1, 4 * PART + 77);
    std::fs::write(world.object("object"), &object).expect("an object");
    let weather = Weather {
        delay: [Duration::from_millis(3), Duration::from_millis(5)],
        pause: Some((100_000, Duration::from_millis(30))),
        reset_after: Some(1..PART as u64),
        resets_max: 3,
        ..Weather::fair()
    };
    for seed in 0..3 {
        let relay = Relay::start(world.server().addr(), weather.clone(), seed);
        let hydrant = client_through(&world, &relay);
        let at = hydrant.locate(&world.uri("s3", "object")).expect("a URI");
        assert!(read_all(&at).expect("resets are met by another try") == object, "seed {seed}");
        assert_eq!(relay.resets(), 3, "seed {seed}");
        hydrant.stop().expect("stopped");
    }
}

#[test]
fn an_upload_over_a_slow_line_is_whole() {
    let world = World::new();
    let object = noise(2, 2 * PART + 5);
    let weather = Weather {
        delay: [Duration::from_millis(20), Duration::from_millis(1)],
        bytes_per_second: 40 << 20,
        ..Weather::fair()
    };
    let relay = Relay::start(world.server().addr(), weather, 7);
    let hydrant = client_through(&world, &relay);
    let at = hydrant.locate(&world.uri("s3", "sent")).expect("a URI");
    let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
    writer.write_wait(&object).expect("write");
    writer.finish_wait().expect("finished");
    assert!(std::fs::read(world.object("sent")).expect("an object") == object);
    assert_eq!(world.uploads(), 0);
    hydrant.stop().expect("stopped");
}
