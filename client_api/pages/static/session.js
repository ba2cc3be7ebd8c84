"use strict";
// The customer's sign-in in this tab, and calls to the API with it. Tokens end with the tab.
const session = (() => {
  const PLACE = "billbus";
  let renewing = null;

  const tokens = () => JSON.parse(window.sessionStorage.getItem(PLACE) || "null");
  const keep = (given) => window.sessionStorage.setItem(PLACE, JSON.stringify(given));
  const forget = () => window.sessionStorage.removeItem(PLACE);

  const send = (method, path, body, headers) =>
    fetch(path, {
      method,
      headers: { ...(body ? { "Content-Type": "application/json" } : {}), ...headers },
      body: body ? JSON.stringify(body) : undefined,
    });

  const read = async (answer) => {
    const value = answer.status === 204 ? null : await answer.json();
    if (!answer.ok) throw Object.assign(new Error("problem"), { code: value && value.code, facts: value && value.facts });
    return { status: answer.status, value };
  };

  const signIn = async (path, body) => {
    const { value } = await read(await send("POST", path, body));
    keep(value);
  };

  // Two calls that find the token old must not both use the refresh token: using it twice ends the sign-in.
  const renew = () => {
    renewing ??= signIn("/api/v1/auth/refresh", { refresh_token: tokens().refresh_token })
      .catch((problem) => {
        if (problem.code) forget();
        throw problem;
      })
      .finally(() => { renewing = null; });
    return renewing;
  };

  const call = async (method, path, body, headers = {}) => {
    const attempt = () =>
      send(method, `/api/v1${path}`, body, { ...headers, Authorization: `Bearer ${tokens().access_token}` });
    let answer = await attempt();
    if (answer.status === 401) {
      await renew();
      answer = await attempt();
    }
    return read(answer);
  };

  // Without a sign-in: what everybody may see.
  const look = async (path) => read(await send("GET", `/api/v1${path}`));

  // A request that may be sent twice, because nobody knows whether it arrived, keeps its key.
  const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
  const command = (path, body, key = newKey()) =>
    call("POST", path, body, { Prefer: "wait=10", "Idempotency-Key": key });

  const signOut = async () => {
    const { refresh_token } = tokens();
    forget();
    await send("POST", "/api/v1/auth/logout", { refresh_token });
  };

  return { tokens, signIn, signOut, call, look, newKey, command };
})();
