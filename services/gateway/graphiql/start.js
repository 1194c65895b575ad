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
    "# Welcome to Trellis. Paste your API key under Headers (below), then press the play button.",
    "# An id is a node id, or sourcedId: and the identifier of your own system.",
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

  var nothing = JSON.stringify({ data: null });
  var ask = GraphiQL.createFetcher({ url: window.location.pathname });

  // Before a key is pasted the schema cannot be read; that is no error to shout about.
  function fetcher(params, options) {
    var headers = (options && options.headers) || {};
    var bearer = String(headers.Authorization || headers.authorization || "");
    if (params.operationName === "IntrospectionQuery" && !/trl_live_[A-Za-z0-9]+_[A-Za-z0-9]+/.test(bearer)) {
      return Promise.resolve(JSON.parse(nothing));
    }
    return ask(params, options);
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
