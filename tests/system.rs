//! The whole system: the library, the program and the server together, and servers that misbehave.
//!
//! - [`round_trips`]: every size through every pair of stores, in every way.
//! - [`failures`]: what a client makes of servers that break the rules.
//! - [`checksums`], [`payloads`], [`expect`], [`overload`]: what goes beside the bytes, and when, and how many
//!   at once.
//! - [`composites`]: checksums of checksums.
//! - [`first_byte`]: answers that are waited for no longer than those before them took.
//! - [`addresses`]: a name with many addresses.
//! - [`endpoints`]: several servers of one store, and what is done without one of them.
//! - [`leftovers`]: what is given up leaves nothing.
//! - [`data1`]: what is copied on the way, and why.
//! - [`pool`]: the limit of memory, and who waits for whom.
//! - [`relay`]: lines that are late, pause, and break.
//! - [`resume`]: what an earlier copy left is carried on.
//! - [`kill`]: the program is killed at any moment.
//! - [`memory`]: the program's memory while it moves much more than that.
//! - [`one_connection`]: small questions stay small.
//! - [`s3_client`]: every operation of S3, and what servers do at times.
//! - [`s3_options`]: what S3 alone can be asked for with any read, write or copy.
//! - [`writer`], [`streams`], [`ranges`], [`stored_parts`]: how bytes leave and arrive, and who waits for whom.
//! - [`conditions`]: what is done only if.
//! - [`copies`]: what the server or the kernel copies, and what goes along.
//! - [`deletes`], [`verify`]: what goes is gone, what is the same is the same.
//! - [`simulated`]: whole pipelines in the simulator, from thousands of seeds.
//! - [`tls`]: the same over TLS, and certificates that are refused.
//! - [`urls`]: objects behind plain URLs, to be read.
//! - [`boto3`]: a client of another make, and [`botocore`], its signers; [`other_servers`]: servers of other makes; [`installed`]: how
//!   they come here.

#![cfg(test)]

mod addresses;
mod boto3;
mod botocore;
mod broken_off;
mod checksums;
mod composites;
mod conditions;
mod copies;
mod credentials;
mod data1;
mod deletes;
mod endpoints;
mod expect;
mod failures;
mod first_byte;
mod installed;
mod kill;
mod leftovers;
mod memory;
mod one_connection;
mod other_servers;
mod overload;
mod payloads;
mod pool;
mod ranges;
mod relay;
mod resume;
mod round_trips;
mod s3_client;
mod s3_options;
mod simulated;
mod stored_parts;
mod streams;
mod tls;
mod urls;
mod verify;
mod writer;
