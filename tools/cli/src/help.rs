//! What `--help` teaches beyond the options: locations, environment, exit codes, examples.

macro_rules! locations {
    () => {
        "\
Locations:
  s3://bucket/key             an object of the store that the environment names
  s3://host:port/bucket/key   an object of the server at host:port
  direct:///abs/path          a file, past the page cache (O_DIRECT)
  file:///abs/path, ./path    a file, through the page cache
  -                           stdin or stdout (cp)
"
    };
}

macro_rules! examples {
    () => {
        "
Examples:
  hydrant demo                              what this machine does, measured
  hydrant bench disk ./file --rw randread   what its disk does, without S3
  hydrant serve ./data                      an S3 server on a directory
  hydrant cp ./disk.img s3://backup/        upload, in parts
  hydrant cp s3://backup/disk.img direct:///srv/disk.img
  tar c ./src | hydrant cp - s3://backup/src.tar
  hydrant cat s3://backup/src.tar | tar t
  AWS_ENDPOINT_URL=http://127.0.0.1:9000 hydrant --no-sign-request ls s3://backup/
"
    };
}

/// Below `hydrant -h`.
pub const SHORT: &str = concat!(
    locations!(),
    examples!(),
    "\n`hydrant --help` also lists the environment and the exit codes."
);

/// Below `hydrant --help`.
pub const LONG: &str = concat!(
    locations!(),
    "
Environment:
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
      who signs; with --no-sign-request nobody does. Where they are unset: the profile
  AWS_PROFILE, AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE
      keys, roles, credential_process, SSO, region and endpoint_url of a profile; where a sign-in by
      SSO has ended, `aws sso login` begins another
  AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN; AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI
      a role by a token; the service of a container; for AWS itself then that of the instance,
      unless AWS_EC2_METADATA_DISABLED is true; AWS_METADATA_SERVICE_TIMEOUT (seconds) and
      _NUM_ATTEMPTS bound that. --log info says who answered
  AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL
      the server, such as http://127.0.0.1:9000; unset is AWS; --endpoint-url comes first. Several
      of one store: http://a:9000,http://b:9000 or http://10.0.0.{1...8}:9000; each request goes to
      one of them, and not to one in trouble.
      AWS_CA_BUNDLE names a file of certificates to trust for https, instead of the system's
  AWS_REGION, AWS_DEFAULT_REGION
      the region to sign for; unset is us-east-1; --region comes first
  AWS_USE_DUALSTACK_ENDPOINT
      true asks AWS by the name that has IPv6 addresses, too; also of a profile
  AWS_USE_FIPS_ENDPOINT
      true asks AWS by the name of servers whose TLS is validated by FIPS 140; also of a profile
  XDG_STATE_HOME
      where it is noted what has come of uploads with --resume; unset is ~/.local/state

Exit codes:
  0    all done
  1    some objects failed, or a failure that no other number names
  2    wrong usage
  3    configuration or credentials
  4    not found
  5    temporary trouble, and all tries are used up
  6    integrity: a length or a checksum differs
  7    the local disk: full, broken, read-only
  130  interrupted by SIGINT; 143 by SIGTERM; 141 when the reader of stdout went away
  The last line on stderr says what failed.
",
    examples!()
);
