// Starts GraphiQL with a query to begin with and a place to paste the key.
// What stands behind # in the address never leaves the browser: #key=trl_live_…&query=…&run=1
(function () {
  "use strict";

  var handed = new URLSearchParams(window.location.hash.slice(1));
  var asked = new URLSearchParams(window.location.search);
  var key = handed.get("key");
  if (key) {
    // The key leaves the address bar, the history and the screen that is shared next.
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
  }

  var first = [
    "# Welcome to Trellis.",
    "# Paste your API key under Headers, then press play.",
    "# An id is a node id, or sourcedId:… of your own system.",
    "",
    "query WhereToBegin {",
    "  administrations(first: 5) {",
    "    nodes { id sourcedId title purpose opensAt closesAt }",
    "  }",
    "}",
    "",
  ].join("\n");

  function headersWith(name) {
    return JSON.stringify({ Authorization: "Bearer " + name }, null, 2);
  }

  var ask = GraphiQL.createFetcher({ url: window.location.pathname });
  var schemaIsMissing = false;

  // Before a key is pasted the schema cannot be read; that is no error to shout about. It is read with the first
  // question that has a key.
  function fetcher(params, options) {
    var headers = (options && options.headers) || {};
    var bearer = String(headers.Authorization || headers.authorization || "");
    var hasKey = /trl_live_[A-Za-z0-9]+_[A-Za-z0-9]+/.test(bearer);
    if (params.operationName === "IntrospectionQuery") {
      schemaIsMissing = !hasKey;
      if (!hasKey) {
        return Promise.resolve({ welcome: "Paste your API key under Headers, then press play." });
      }
    } else if (schemaIsMissing && hasKey) {
      schemaIsMissing = false;
      window.setTimeout(readSchema, 500);
    }
    return ask(params, options);
  }

  function readSchema() {
    var button = document.querySelector('button[aria-label="Re-fetch GraphQL schema"]');
    if (button) {
      button.click();
    }
  }

  var query = handed.get("query") || asked.get("query");
  ReactDOM.createRoot(document.getElementById("graphiql")).render(
    React.createElement(GraphiQL, {
      fetcher: fetcher,
      defaultQuery: first,
      query: query || undefined,
      variables: asked.get("variables") || undefined,
      headers: key ? headersWith(key) : undefined,
      defaultHeaders: headersWith("trl_live_…"),
      defaultEditorToolsVisibility: "headers",
      shouldPersistHeaders: false,
      isHeadersEditorEnabled: true,
    })
  );

  if (handed.get("run")) {
    var waiting = window.setInterval(function () {
      var button = document.querySelector(".graphiql-execute-button");
      if (button) {
        window.clearInterval(waiting);
        button.click();
      }
    }, 100);
  }
})();
