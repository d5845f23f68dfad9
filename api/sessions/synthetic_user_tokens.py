"""/v1/synthetic-user-tokens/: short access tokens with which a service acts as a user."""

from starlette.responses import Response

from api.documents.sessions import synthetic_user_tokens as documents
from api.edge.caller import Authenticated
from api.edge.deps import IdentityDep, SignerDep
from api.edge.envelope import answer
from api.edge.route import answers, contract_router
from api.sessions.tokens import access_token

router = contract_router("synthetic-user-tokens", "Short access tokens for services that act as users.")


@router.post(
    "/v1/synthetic-user-tokens/",
    **answers(documents.SyntheticUserTokenAnswer, 201, secret=True, waits=False),
)
async def create_synthetic_user_token(
    body: documents.CreateSyntheticUserToken, principal: Authenticated, identity: IdentityDep, signer: SignerDep
) -> Response:
    """Issue an access token with which the calling service acts as the user."""
    asked = body.data
    signed_in = await identity.synthetic_user_tokens.open(
        principal, asked.user_id, organization_id=asked.organization_id, seconds=asked.expiration_secs
    )
    claims = {each.claim: each.value for each in asked.additional_claims}
    token = documents.SyntheticUserToken(
        access_token=access_token(signer, signed_in, claims),
        expiration_secs=asked.expiration_secs,
        expiration_time=signed_in.session.expires_at,
        session_id=signed_in.session.id,
    )
    return answer(documents.SyntheticUserTokenAnswer(data=token), 201)
