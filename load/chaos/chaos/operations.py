"""What clients ask of plaza, and what its answers mean.

A verdict is `acknowledged`, `refused` (the schema says that nothing was changed) or `unknown`."""

import base64

MUTATIONS = {
    "post": (
        "postCreate",
        "mutation($input: PostCreateInput!) { done: postCreate(input: $input)"
        " { made: post { id } userErrors { code message } } }",
    ),
    "like": (
        "postLike",
        "mutation($input: PostLikeInput!) { done: postLike(input: $input)"
        " { made: post { id } userErrors { code message } } }",
    ),
    "comment": (
        "commentCreate",
        "mutation($input: CommentCreateInput!) { done: commentCreate(input: $input)"
        " { made: comment { id } userErrors { code message } } }",
    ),
    "bio": (
        "profileUpdate",
        "mutation($input: ProfileUpdateInput!) { done: profileUpdate(input: $input)"
        " { made: user { id } userErrors { code message } } }",
    ),
    "follow": (
        "userFollow",
        "mutation($input: UserFollowInput!) { done: userFollow(input: $input)"
        " { made: user { id } userErrors { code message } } }",
    ),
    "unfollow": (
        "userUnfollow",
        "mutation($input: UserUnfollowInput!) { done: userUnfollow(input: $input)"
        " { made: user { id } userErrors { code message } } }",
    ),
    "order": (
        "orderPlace",
        "mutation($input: OrderPlaceInput!) { done: orderPlace(input: $input)"
        " { made: order { id } userErrors { code message } } }",
    ),
    "product": (
        "productCreate",
        "mutation($input: ProductCreateInput!) { done: productCreate(input: $input)"
        " { made: product { id } userErrors { code message } } }",
    ),
    "sign-up": (
        "signUp",
        "mutation($input: SignUpInput!) { done: signUp(input: $input)"
        " { accessToken made: viewer { id: user { id } } userErrors { code message } } }",
    ),
}

HOME = (
    "{ viewer { home(first: 20)"
    " { edges { node { id author { id } } } pageInfo { hasNextPage } } } }"
)
OWN = {
    "post": "{ viewer { user { posts(first: 50) { edges { node { id } } } } } }",
    "bio": "{ viewer { user { bio } } }",
    "like": "query($id: ID!) { post(id: $id) { viewerHasLiked } }",
    "comment": "query($id: ID!) { node(id: $id) { ... on Comment { id text } } }",
    "order": "query($id: ID!) { order(id: $id) { id status } }",
    "follow": "query($id: ID!) { node(id: $id) { ... on User { viewerIsFollowing } } }",
}
OWN["unfollow"] = OWN["follow"]

# What a client may send again under the same key to learn what became of it.
NOT_KNOWN = {"OUTCOME_UNKNOWN", "INTERNAL"}


def number_of(global_id):
    """The number in a global id."""
    padded = global_id + "=" * (-len(global_id) % 4)
    return int(base64.urlsafe_b64decode(padded).decode().rpartition(":")[2])


def global_id(noun, number):
    return base64.urlsafe_b64encode(f"{noun}:{number}".encode()).decode().rstrip("=")


def verdict_of(status, answer):
    """Verdict, code and what was made, of a mutation's response."""
    if not isinstance(answer, dict):
        return "unknown", f"HTTP_{status}", None
    done = (answer.get("data") or {}).get("done")
    if done is not None and not done["userErrors"]:
        return "acknowledged", None, done
    if done is not None:
        return "refused", f"USER_{done['userErrors'][0]['code']}", None
    code = code_of(answer) or f"HTTP_{status}"
    is_unknown = code in NOT_KNOWN or code.startswith("HTTP_")
    return ("unknown" if is_unknown else "refused"), code, None


def code_of(answer):
    """The code of the first error; `None` without one."""
    for error in answer.get("errors") or []:
        return (error.get("extensions") or {}).get("code", "NO_CODE")
    return None
