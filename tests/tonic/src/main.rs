//! A gRPC server of Rust's tonic, with or without its health service; see tests/system/servers/grpc.

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic_health::ServingStatus::{NotServing, Serving, Unknown};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let port = std::env::args().nth(1).expect("a port");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("bound");
    let (reporter, service) = tonic_health::server::health_reporter();
    // "" is Serving from the start.
    for (name, status) in [("up", Serving), ("NOT_SERVING", NotServing), ("UNKNOWN", Unknown)] {
        reporter.set_service_status(name, status).await;
    }
    let mut server = Server::builder();
    let router = match std::env::args().nth(2).as_deref() {
        Some("health") => server.add_service(service),
        _ => server.add_routes(tonic::service::Routes::default()),
    };
    router.serve_with_incoming(TcpListenerStream::new(listener)).await.expect("served");
}
