//! What nginx is told.

use std::net::SocketAddr;
use std::path::Path;

use super::super::tls::Tls;
use super::{BUCKET, KEYS, LISTINGS, Set, Told, UPLOAD};

/// One process. GET is sendfile from memory, but by TLS. The body of a PUT is received whole, in a file in memory
/// where it is large, and answered with 200, as S3 does; nginx itself would answer a second one with 204, which
/// some clients take for a failure. A multipart upload gets the answers it needs: each part is a PUT to the name of
/// the object. A listing is that of a set, written beforehand. Nobody's signature is looked at.
pub fn configuration(
    folder: &Path,
    sets: &[Set],
    address: SocketAddr,
    tls: &Tls,
    told: Option<&Told>,
) -> String {
    let (format, by_tls) = (Tls::log_format(), tls.configuration());
    let tells = told.map_or("", |_| Told::header());
    let told = told.map(Told::map).unwrap_or_default();
    let folder = folder.display();
    let listings: String = sets
        .iter()
        .map(|Set { name, .. }| format!("\"~prefix={name}(/|%2F)\" {name};\n"))
        .collect();
    format!(
        r#"load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    {format}
    access_log off;
    sendfile on;
    sendfile_max_chunk 0;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_timeout 1h;
    send_timeout 1h;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    client_body_temp_path {folder}/body;
    default_type application/octet-stream;
    map "$request_method:$arg_uploadId" $multipart_answer {{
        default "";
        "POST:" "<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{UPLOAD}</Key><UploadId>1</UploadId></InitiateMultipartUploadResult>";
        "POST:1" "<CompleteMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{UPLOAD}</Key><ETag>&quot;bench-1&quot;</ETag></CompleteMultipartUploadResult>";
    }}
    map $args $listing {{
        default "";
        "~continuation-token=(?<page>p[0-9]+)" {KEYS}/$page;
        "~prefix={KEYS}(/|%2F)" {KEYS}/p0;
        {listings}
    }}
    {told}
    server {{
        listen {address};
        {by_tls}
        {tells}
        root {folder}/root;
        location / {{
            if ($request_method = PUT) {{ rewrite ^ /.received last; }}
            if ($multipart_answer) {{ return 200 $multipart_answer; }}
            if ($listing) {{ rewrite ^ /{LISTINGS}/$listing break; }}
        }}
        location = /.received {{ internal; echo_read_request_body; echo_exec @stored; }}
        location @stored {{ add_header ETag '"bench"'; return 200; }}
    }}
}}
"#
    )
}
