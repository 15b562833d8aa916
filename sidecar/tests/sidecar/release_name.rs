//! Names: a static binary asks for them itself.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::api::{Answer, Api};
use crate::identity::Identity;
use crate::name_server::{NameServer, Reply};
use crate::sidecar::Pod;

const NAME: &str = "webhook.flyte-dataservice.svc.cluster.local";
const HERE: Reply = Reply::Addresses(&[Ipv4Addr::LOCALHOST]);
/// For what ends with the deadline: enough for a second attempt.
const SHORT: Duration = Duration::from_millis(600);

async fn api() -> Api {
    Api::with(Identity::of(NAME), [Answer::of(204)]).await
}

/// A pod that knows the API by its name.
fn pod(api: &Api) -> Pod {
    Pod::new(&format!("https://{NAME}:{}", api.address.port()), &api.authority)
}

#[tokio::test]
async fn a_name_is_resolved_at_sigterm() {
    let (api, names) = (api().await, NameServer::replying([HERE]).await);
    let sidecar = pod(&api).asking(&names).start().await;
    assert_eq!(names.asked(), [""; 0]);
    sidecar.terminate().await.has_released(1);
    assert_eq!(names.asked(), [NAME]);
    let [request] = api.requests();
    assert_eq!(request.header("host"), format!("{NAME}:{}", api.address.port()));
}

#[tokio::test]
async fn a_name_that_nothing_has_is_given_up_at_the_deadline() {
    let (api, names) = (api().await, NameServer::replying([Reply::Code(3)]).await);
    let ended = pod(&api).allowed(SHORT).asking(&names).run().await;
    ended.has_given_up(&format!(
        "failed to resolve {NAME}: there is no such name, says the name server {} \
         (a full one is wanted, with the cluster's domain)",
        names.address
    ));
    assert!(names.asked().len() > 1, "{ended:?}");
}

#[tokio::test]
async fn a_name_that_comes_to_be_is_found() {
    let (api, names) = (api().await, NameServer::replying([Reply::Code(3), HERE]).await);
    pod(&api).asking(&names).run().await.has_released(2);
}

#[tokio::test]
async fn a_name_server_that_loses_a_query_is_asked_again() {
    let names = NameServer::replying([Reply::Silence, Reply::Silence, HERE]).await;
    let api = api().await;
    pod(&api).asking(&names).run().await.has_released(1);
    assert_eq!(names.asked(), [NAME; 3]);
}

#[tokio::test]
async fn a_name_server_that_is_silent_is_given_up_at_the_deadline() {
    let (api, names) = (api().await, NameServer::replying([Reply::Silence]).await);
    let ended = pod(&api).allowed(SHORT).asking(&names).run().await;
    ended.has_given_up(&format!("the name server {} did not answer", names.address));
}

#[tokio::test]
async fn where_one_name_server_fails_the_next_is_asked() {
    let (api, broken) = (api().await, NameServer::replying([Reply::Code(2)]).await);
    let names = NameServer::replying([HERE]).await;
    pod(&api).asking(&broken).asking(&names).run().await.has_released(1);
    assert_eq!((broken.asked().len(), names.asked().len()), (1, 1));
}

#[tokio::test]
async fn an_answer_to_another_question_is_passed_over() {
    let names = NameServer::replying([Reply::Forged(&[Ipv4Addr::LOCALHOST])]).await;
    let api = api().await;
    pod(&api).asking(&names).run().await.has_released(1);
}

#[tokio::test]
async fn where_one_address_fails_the_next_is_tried() {
    const ADDRESSES: &[Ipv4Addr] = &[Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::LOCALHOST];
    let (api, names) = (api().await, NameServer::replying([Reply::Addresses(ADDRESSES)]).await);
    pod(&api).asking(&names).run().await.has_released(1);
}
