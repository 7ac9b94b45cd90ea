//! `hyd_options`: settings of a store as text.

mod keys;
mod settings;
mod tls;

use std::ffi::c_char;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hydrant::s3::credentials::Provider;
pub use settings::Settings;

use crate::args::{c_text, c_text_up_to};
use crate::error::{ErrorOut, hyd_error};
use crate::guard;
use crate::handle::{self, kind};
use crate::status::hyd_status;

/// Bytes of a value at most: a bundle of all certificates of a system has a quarter of that (LIMIT-1).
const VALUE_BYTES_MAX: usize = 1 << 20;

/// Settings of a store, by name.
pub struct hyd_options(());

/// What a handle of options holds.
#[derive(Default)]
pub struct Options(Mutex<Settings>);

kind!(Options, hyd_options, 5, "options");

impl Options {
    /// What was set so far.
    pub fn settings(&self) -> Settings {
        self.lock().clone()
    }

    /// Sets who provides credentials.
    pub fn set_provider(&self, provider: Provider) {
        self.lock().set_provider(provider);
    }

    fn lock(&self) -> MutexGuard<'_, Settings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No options yet; the caller frees them. NULL when there are too many.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_options_new() -> *mut hyd_options {
    let mut options = std::ptr::null_mut();
    guard::entry(ErrorOut::NONE, |_| {
        options = handle::give(Arc::<Options>::default())?;
        Ok(())
    });
    options
}

/// Sets one option; both texts end with a NUL. A later value replaces an earlier one.
///
/// Where the server of S3 is; an s3:// URI that names its server takes no endpoint beside it:
///
///     endpoint                        https://host:port instead of AWS_ENDPOINT_URL; http:// is plain;
///                                     several servers of one store with commas between them, or as
///                                     http://10.0.0.{1...8}:9000
///     region                          a name, instead of AWS_REGION
///     address_style                   path or virtual_host
///     dual_stack                      true or false: whether AWS is asked by the name with IPv6 addresses;
///                                     not with an endpoint
///     fips                            true or false: whether AWS is asked by the name of servers whose TLS
///                                     is validated by FIPS 140, as that of this library is not; not with
///                                     an endpoint
///     endpoint_choice                 least_pending or round_robin: which of several is asked
///     endpoint_failures               in a row, after which one of several is left alone
///     endpoint_left_alone_seconds     the first time; twice as long each time it fails again
///     endpoint_left_alone_max_seconds and never for longer
///
/// Who signs requests to S3. Keys come before a function of hyd_options_set_credentials(), both before
/// profile and environment, and anonymous goes with neither:
///
///     access_key_id                   with secret_access_key, and session_token where the keys are
///     secret_access_key               temporary; instead of those in the environment
///     session_token                   of temporary keys
///     anonymous                       true or false: no request is signed
///     profile                         a name, instead of AWS_PROFILE, and ahead of keys in the environment;
///                                     beside keys or a function it gives endpoint and region alone
///     credentials_refresh_seconds     of all it takes to get new credentials, also of a function
///
/// How the sources that AWS has are asked, where they are:
///
///     credentials_request_seconds     of one request to a service that gives credentials
///     credentials_metadata_seconds    the same for the metadata service of an instance; the variable
///                                     AWS_METADATA_SERVICE_TIMEOUT comes before it
///     credentials_tries               of such a request; for the metadata service the variable
///                                     AWS_METADATA_SERVICE_NUM_ATTEMPTS comes before it
///     credentials_process_seconds     of a credential_process
///     credentials_answer_bytes        of what a service answers or a credential_process writes
///
/// How TLS is spoken, with S3 and http(s):// stores. Files are PEM, and read when a store is opened; the
/// same may be given as the text itself, and of the two the one that was set last counts:
///
///     ca_file                         certificates that are trusted, instead of AWS_CA_BUNDLE and of those
///     ca_pem                          of the system
///     client_certificate_file         the chain that is shown to servers that ask for one, with its
///     client_key_file                 key
///     client_certificate_pem          the chain as text, up to 1 MiB, as all values
///     client_key_pem                  its key
///     tls_min_version                 1.2 or 1.3
///     tls_handshake_seconds           of a whole handshake
///
/// Connections of S3 and http(s):// stores:
///
///     connections_per_core            open at once
///     in_order_per_core               objects read at once from a server that ignores ranges
///     connect_seconds                 of connecting, all addresses together
///     connect_attempt_delay_ms        after which the next address is tried beside the last one
///     connect_attempts                addresses that are tried
///     addresses_seconds               after which a name is asked for again
///     addresses_kept_seconds          in which an address is used that the name no longer has
///     address_left_alone_seconds      after it refused or stalled
///     addresses                       of a name that are known at a time
///     stall_seconds                   in which no byte moves before a connection is given up
///     idle_seconds                    after which an idle connection is closed
///     requests_per_connection         after which a connection is closed
///     expect_continue_bytes           of a body that is asked for first while in doubt (Expect: 100-continue), or never
///     expect_continue_ms              in which the server is waited for then
///     early_answer_ms                 in which a server is heard that refuses a body
///     redirects                       followed for one object, of http(s):// alone
///     redirect_origins                whose connections are kept, of http(s):// alone
///     document_bytes                  of an answer that is no payload: a listing, an error
///     kept_document_bytes             of the last one, kept by each core for the next
///     request_head_bytes              of the head of a request, 1 KiB to 1 MiB
///     answer_head_bytes               of the head of an answer, 1 KiB to 1 MiB
///     answer_headers                  lines in it, up to 128
///     interim_heads                   heads of status 1xx before it
///     chunk_line_bytes                of the line before a chunk of a chunked body
///     chunk_extension_bytes           of what those lines say besides, in all chunks of a body
///     trailer_bytes                   of the lines behind the last chunk
///
/// What S3 and http(s):// stores try again:
///
///     tries                           of one request, the first among them
///     retry_wait_ms                   before the second try at most; twice as long each time
///     retry_throttled_wait_ms         the same where the server is overloaded
///     retry_wait_max_ms               and never longer; neither of the two may be
///     retry_after_max_seconds         that a server can ask for
///     clock_off_seconds               by which a 403 to HEAD may be off before the clock is taken to be wrong
///     renewal_wait_seconds            in which a 400 or 403 to HEAD asks for new credentials once at most
///     pace_least                      requests under way from one core, however often it is overloaded;
///                                     no more than connections_per_core, which counts where it is less
///     pace_lowered_to_percent         of the requests under way, when it is
///     pace_raised_by                  requests, when it is not any more
///
/// How long the answer to a part of an upload to S3 is waited for before the part is sent once more, as is learnt
/// from answers before:
///
///     first_byte_most_ms              where it would be more, all are waited for; or never: nothing is learnt
///     first_byte_least_ms             it is never less
///     first_byte_above_mean_ms        nor less than so much above their mean
///     first_byte_learnt_from          answers that come first; as many as connections, where those are more
///     first_byte_learnt_percent       of those, that came in the first limit
///     first_byte_lowered_by_part      of what is above the mean, taken away by each answer: one 64th is 64
///     first_byte_counted              answers that mean and shares go back to
///     first_byte_late_in_10000        answers; where more are late, it is raised
///     first_byte_raised_by_ms         by so much
///     first_byte_many_late_in_10000   answers; where more are late, it is raised a lot
///     first_byte_many_raised_by_ms    by so much
///
/// What goes with the bytes of objects of S3:
///
///     request_checksum_calculation    when_supported, when_required or off, instead of the variable
///                                     AWS_REQUEST_CHECKSUM_CALCULATION
///     response_checksum_validation    the same for what is read
///     checksum_algorithm              crc64nvme, crc32c, crc32, sha1, sha256, or md5 (Content-MD5)
///     checksum_place                  head, trailer, or signed_trailer: every byte is signed
///     payload_signing                 unsigned, or signed: also what has no checksum behind it, for servers
///                                     that insist on it
///     state_dir                       a folder, where it is noted how uploads are carried on
///     server_copy_whole_bytes         of an object that the server copies in one request
///     server_copy_part_size           bytes of a part where it does not, 5 MiB to 5 GiB; larger where there
///                                     would be more than 10,000
///
/// How transfers of any store are cut:
///
///     part_size                       bytes of a part; larger where there would be more than 10,000, smaller
///                                     where the pool has no room for two
///     connections                     parts of one transfer under way at once, up to 1024
///
/// Where the files of file:/// and direct:/// are:
///
///     root                            a folder, made by the first write: keys lead beneath it and nowhere
///                                     else, through no link, and are a/b, never /a, a//b or a/../b. For keys
///                                     that come from elsewhere
///
/// Numbers count from 1, but for redirects. What a store cannot use has no effect on it: options of S3 on
/// files, those of TLS on a server that is asked by http://. Options that contradict each other are told
/// by hyd_store_open() as HYD_E_CONFIG.
///
/// Errors: HYD_E_INVALID for a key that is none, or a value that it cannot have; the message never
/// repeats the value.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_options_set(
    options: *mut hyd_options,
    key: *const c_char,
    value: *const c_char,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |_| {
        let options = handle::get::<Options>(options)?;
        // SAFETY: OWN-3. The caller lends both texts for the time of the call.
        let (key, value) =
            unsafe { (c_text(key, "key")?, c_text_up_to(value, VALUE_BYTES_MAX, "value")?) };
        options.lock().set(key, value)
    })
}

/// Frees options, and wipes the secrets among them; NULL is fine. Stores that were opened with them
/// keep what they took.
///
/// Errors: HYD_E_HANDLE when they were freed before; HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_options_free(options: *mut hyd_options) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Options>(options).map(drop))
}
