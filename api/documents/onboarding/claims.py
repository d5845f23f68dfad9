"""POST /v1/onboarding-requests/claim/ (ruling K8)."""

from api.documents.common import Strict
from api.documents.fields import Secret20


class ClaimOnboardingRequest(Strict):
    """A code is compared without blanks, hyphens and case (ruling K30)."""

    referral_code: Secret20
