//! Deleting many keys with one request, each with an outcome of its own.

use std::sync::Arc;

use hydrant_engine::Core;

use super::call::send;
use super::copy::is_unknown;
use super::error::S3Error;
use super::ops::{
    DELETE_KEYS_MAX, DeleteObject, DeleteObjects, DeleteRefusal, Deleted, ObjectId, Operation,
};
use super::store::Shared;
use crate::error::{Error, ErrorKind, Result};

/// Deletes at most [`super::ops::DELETE_KEYS_MAX`] keys; tells what came of each, in their order. A
/// refusal of one key is an error of S3 whose class tells whether another try may help.
///
/// # Errors
/// `Unsupported` where the server does not know DeleteObjects; a request that failed as a whole.
pub(super) async fn delete_batch(
    core: &Core,
    shared: &Arc<Shared>,
    keys: &[String],
) -> Result<Vec<Result<()>>> {
    let mut outcomes: Vec<Result<()>> = vec![Ok(()); keys.len()];
    let (mut places, mut objects) = (Vec::with_capacity(keys.len()), Vec::new());
    for (place, key) in keys.iter().enumerate() {
        let object = ObjectId::new(key);
        if object.fits_xml() && !key.is_empty() {
            places.push(place);
            objects.push(object);
        } else {
            let deleted = send(core, shared, &DeleteObject::new(key)).await;
            outcomes[place] = deleted.map(drop);
        }
    }
    if objects.is_empty() {
        return Ok(outcomes);
    }
    let told = send(core, shared, &DeleteObjects::new(objects)).await;
    let told =
        told.map_err(|error| if is_unknown(&error) { unsupported(shared) } else { error })?;
    for (place, outcome) in places.into_iter().zip(told) {
        let refused = |refusal| refused(shared, &outcome.object.key, refusal);
        outcomes[place] = outcome.result.map(drop).map_err(refused);
    }
    Ok(outcomes)
}

/// Deletes any number of objects as `how` says; tells what came of each, in their order. A request that
/// failed as a whole is the error of each of its objects.
pub(super) async fn delete_each(
    core: &Core,
    shared: &Arc<Shared>,
    how: DeleteObjects,
) -> Vec<Result<Deleted>> {
    let mut outcomes: Vec<Result<Deleted>> = Vec::new();
    outcomes.resize_with(how.objects.len(), || Ok(Deleted::default()));
    let goes = |place: &usize| how.objects[*place].goes_with_others();
    let (many, alone): (Vec<usize>, Vec<usize>) = (0..how.objects.len()).partition(goes);
    for places in many.chunks(DELETE_KEYS_MAX) {
        let objects = places.iter().map(|place| how.objects[*place].clone()).collect();
        let request = DeleteObjects { objects, ..how.without_objects() };
        match send(core, shared, &request).await {
            Err(error) => places.iter().for_each(|place| outcomes[*place] = Err(error.clone())),
            Ok(told) => {
                for (place, told) in places.iter().zip(told) {
                    let refused = |refusal| refused(shared, &told.object.key, refusal);
                    outcomes[*place] = told.result.map_err(refused);
                }
            }
        }
    }
    for place in alone {
        outcomes[place] = send(core, shared, &how.alone(&how.objects[place])).await;
    }
    outcomes
}

fn unsupported(shared: &Shared) -> Error {
    let text = format!(
        "the server of {} does not know DeleteObjects; its objects are deleted one by one",
        shared.uri_of("")
    );
    ErrorKind::Unsupported(text).into()
}

/// The refusal of one key comes inside a 200.
fn refused(shared: &Shared, key: &str, refusal: DeleteRefusal) -> Error {
    S3Error {
        operation: DeleteObjects::NAME,
        bucket: shared.endpoint.bucket().to_owned(),
        key: Some(key.to_owned()),
        http_status: 200,
        code: refusal.code,
        message: refusal.message,
        request_id: refusal.request_id,
        host_id: refusal.host_id,
        region: None,
        endpoint: None,
        attempts: 1,
        gave_up: None,
        location: None,
    }
    .into()
}
