//! Everything that can fail fails once: the first submission of a transfer, then in another run the
//! second, and so on until a run is over before its submission comes.

use hydrant::engine::Simulation;
use hydrant::engine::sim::{SimConfig, World};
use hydrant::{Bytes, CopyOptions, GetOptions, Location, Result, copy};
use hydrant_tests::noise;

use super::server::Server;
use super::{AFTERWARDS, HANG, PART, STEP, client, config, pass, place};

/// More submissions than any of these transfers makes.
const SUBMISSIONS_MAX: u64 = 5_000;

/// Enough for a part that is not whole, in a file that is not a multiple of a block.
const BYTES: usize = 2 * PART + 4097;

#[derive(Debug, Clone, Copy)]
enum Transfer {
    GetToFile { direct: bool },
    GetToMemory,
    PutOfFile { direct: bool },
    PutOfMemory,
    FromServerToServer,
}

/// What was there when a transfer had ended.
struct Outcome {
    was_hit: bool,
    succeeded: bool,
}

#[test]
fn a_get_to_a_file_survives_each_failure() {
    for direct in [false, true] {
        torture(Transfer::GetToFile { direct });
    }
}

#[test]
fn a_get_to_memory_survives_each_failure() {
    torture(Transfer::GetToMemory);
}

#[test]
fn a_put_of_a_file_survives_each_failure() {
    for direct in [false, true] {
        torture(Transfer::PutOfFile { direct });
    }
}

#[test]
fn a_put_of_memory_survives_each_failure() {
    torture(Transfer::PutOfMemory);
}

#[test]
fn a_copy_survives_each_failure() {
    torture(Transfer::FromServerToServer);
}

#[expect(clippy::print_stdout, reason = "the counts are to be seen")]
fn torture(transfer: Transfer) {
    let (mut mended, mut told) = (0, 0);
    for nth in 1..SUBMISSIONS_MAX {
        let outcome = run(transfer, nth);
        if !outcome.was_hit {
            assert!(outcome.succeeded, "{transfer:?}: nothing failed");
            println!("{transfer:?}: {} submissions, {mended} mended, {told} told", nth - 1);
            assert!(mended > 0 && nth > 20, "it was tortured");
            return;
        }
        *(if outcome.succeeded { &mut mended } else { &mut told }) += 1;
    }
    panic!("{transfer:?}: no end after {SUBMISSIONS_MAX} submissions");
}

fn run(transfer: Transfer, nth: u64) -> Outcome {
    let world = World::new(1, SimConfig::calm());
    world.put_file("/files/kept", b"").expect("a folder for files");
    let mut simulation = Simulation::new(world.clone(), config(1)).expect("an arena");
    let servers = [1, 2].map(|index| Server::start_fine(&simulation, index));
    let hydrant = client(&simulation, super::PIECE);
    let places = [0, 1].map(|index| place(&hydrant, &servers[index]));
    let data = Bytes::from(noise(7, BYTES));
    let at = |index: usize| places[index].with_key("key").expect("a key");
    let file = |direct| {
        let scheme = if direct { "direct" } else { "file" };
        hydrant.locate(&format!("{scheme}:///files/name")).expect("a URI")
    };
    // What is read is there, and servers listen, before anything fails.
    let (from, to) = match transfer {
        Transfer::GetToFile { direct } => (Some(at(0)), Some(file(direct))),
        Transfer::GetToMemory => (Some(at(0)), None),
        Transfer::PutOfFile { direct } => (Some(file(direct)), Some(at(0))),
        Transfer::PutOfMemory => (None, Some(at(0))),
        Transfer::FromServerToServer => (Some(at(0)), Some(at(1))),
    };
    match transfer {
        Transfer::PutOfFile { .. } => world.put_file("/files/name", &data).expect("room"),
        Transfer::PutOfMemory => {}
        _ => servers[0].put("key", data.clone()),
    }
    pass(&mut simulation, STEP);
    world.fail_nth(nth);
    let sent = data.clone();
    let spawned = simulation.engine().on_core(0, move |_| async move {
        let read = transferred(from, to, sent).await;
        read.map_err(|error| {
            assert!(!error.to_string().is_empty());
            error.to_string()
        })
    });
    let task = spawned.expect("room");
    while !task.is_finished() {
        pass(&mut simulation, STEP);
        assert!(world.now() < HANG, "{transfer:?} hangs after submission {nth} failed");
    }
    let result = task.wait().unwrap_or_else(|error| panic!("{error}"));
    let was_hit = !world.is_yet_to_fail();
    world.fail_nth(0);
    let there = match transfer {
        Transfer::GetToFile { .. } => world.file("/files/name").map(Bytes::from),
        Transfer::GetToMemory => result.clone().ok().flatten(),
        Transfer::PutOfFile { .. } | Transfer::PutOfMemory => servers[0].get("key"),
        Transfer::FromServerToServer => servers[1].get("key"),
    };
    match (&result, there) {
        (Ok(_), there) => assert!(there == Some(data), "DATA-2: {transfer:?}, submission {nth}"),
        (Err(error), there) => {
            let is_whole = there.is_none_or(|there| there == data);
            assert!(is_whole, "DATA-3: {transfer:?}, submission {nth}: {error}");
        }
    }
    drop((hydrant, places));
    pass(&mut simulation, AFTERWARDS);
    let left: Vec<_> = servers.iter().flat_map(Server::leftovers).collect();
    let temporaries: Vec<_> =
        world.paths().into_iter().filter(|path| path.contains("/.")).collect();
    // What could not be tidied up was said.
    let says = |left: &String| matches!(&result, Err(error) if error.contains(left.as_str()));
    assert!(left.iter().all(says), "{transfer:?}, submission {nth}: {left:?} of {result:?}");
    let name = |path: &String| path.rsplit('/').next().unwrap_or_default().to_owned();
    let told = temporaries.iter().all(|path| says(&name(path)));
    assert!(told, "{transfer:?}, submission {nth}: {temporaries:?} of {result:?}");
    simulation.stop().unwrap_or_else(|error| panic!("{error}"));
    Outcome { was_hit, succeeded: result.is_ok() }
}

/// What was read, where it came to memory.
async fn transferred(
    from: Option<Location>,
    to: Option<Location>,
    data: Bytes,
) -> Result<Option<Bytes>> {
    match (from, to) {
        (Some(from), Some(to)) => copy(&from, &to, CopyOptions::default()).await.map(|_| None),
        (Some(from), None) => {
            let mut stream = from.store.get(&from.key, GetOptions::default())?;
            let mut all = Vec::new();
            while let Some(piece) = stream.next().await {
                all.extend_from_slice(&piece?);
            }
            Ok(Some(all.into()))
        }
        (_, Some(to)) => {
            let mut writer = to.store.writer(&to.key, hydrant::PutOptions::default())?;
            writer.write(&data).await?;
            writer.finish().await.map(|_| None)
        }
        (None, None) => Ok(None),
    }
}
