// The contract by Swagger UI: its own view of openapi.yaml, with forms that try each call, in the place
// of the plain one. The parts of it that put markup into the page are replaced by parts that put text.

/**
 * place: the element with the plain contract, replaced as soon as Swagger UI has drawn its own.
 * here: address of the service; atHome(lines): curl lines with that address; copy(text, button): to
 * the clipboard. Does nothing where the program was built without Swagger UI.
 */
export function takeOver(place, { here, atHome, copy }) {
  const { SwaggerUIBundle } = window;
  if (!SwaggerUIBundle) return;
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const dress = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
  dark.addEventListener('change', dress);
  dress();
  const drawn = document.createElement('div');
  SwaggerUIBundle({
    domNode: drawn,
    url: 'openapi.yaml',
    layout: 'Contract',
    deepLinking: true,
    defaultModelRendering: 'model',
    defaultModelsExpandDepth: 0,
    syntaxHighlight: false,
    validatorUrl: null,
    tagsSorter: (a, b) => (b === 'voices') - (a === 'voices'), // what people come for
    plugins: [ours({ atHome, copy })],
    // Behind a proxy the service may sit under a prefix, which the contract cannot know.
    requestInterceptor: (request) => {
      const { origin } = location;
      if (request.url.startsWith(`${origin}/`) && !request.url.startsWith(`${here}/`)) {
        request.url = here + request.url.slice(origin.length);
      }
      return request;
    },
    onComplete: () => {
      drawn.id = place.id;
      place.replaceWith(drawn);
    },
  });
}

/** Swagger UI asks plugins for the parts that it draws. */
function ours(curl) {
  return ({ React, getComponent, specSelectors }) => {
    const h = React.createElement;
    const part = (name) => h(getComponent(name, true));
    return {
      components: {
        // The page has title, prose and landmarks; /v1 is told in the prose.
        Contract: () =>
          specSelectors.specStr() &&
          h(
            'div',
            { className: 'swagger-ui' },
            h(getComponent('SvgAssets')),
            h('h2', null, 'Endpoints'),
            part('AuthorizeBtnContainer'),
            part('operations'),
            part('Models'),
          ),
        // A file within a form, which it asks for by this name and lacks.
        JsonSchema_string_binary: ({ disabled, onChange }) =>
          h('input', {
            type: 'file',
            disabled,
            onChange: (event) => onChange(event.target.files[0]),
          }),
      },
      wrapComponents: {
        Markdown: () => prose(h),
        parameters:
          (Original, { specSelectors: { specJson } }) =>
          (props) =>
            h(
              React.Fragment,
              null,
              samples(h, curl, specJson(), props.pathMethod),
              h(Original, props),
            ),
        // Ten times the members of a problem would bury the ten problems.
        response: (Original) => (props) =>
          props.code < '400' ? h(Original, props) : problem(h, props),
        // What a keyboard or a screen reader could not make out:
        DeepLink:
          () =>
          ({ text }) =>
            h('span', null, text), // was a link within a button
        JsonSchemaForm: (Original) => (props) =>
          h(
            'label',
            null,
            h('span', { className: 'unseen' }, props.description),
            h(Original, props),
          ),
        Input: (Original) => (props) =>
          h(Original, props.type === 'file' ? { 'aria-label': 'A recording', ...props } : props),
        SyntaxHighlighter: () => (props) =>
          h('pre', { className: props.className, tabIndex: 0 }, props.children),
        JSONSchema202012Accordion: () => (props) => accordion(h, getComponent, props),
      },
    };
  };
}

/** Opens and closes the members of a schema; its name may be empty. */
function accordion(h, getComponent, { expanded, children, onChange }) {
  const name = 'json-schema-2020-12-accordion';
  return h(
    'button',
    {
      type: 'button',
      className: name,
      'aria-expanded': Boolean(expanded),
      onClick: (event) => onChange(event, !expanded),
    },
    h('div', { className: `${name}__children` }, children),
    h('span', { className: 'unseen' }, 'Members'),
    h(
      'span',
      { className: `${name}__icon ${name}__icon--${expanded ? 'expanded' : 'collapsed'}` },
      h(getComponent('JSONSchema202012ChevronRightIcon')),
    ),
  );
}

/** A row for an answer with an error: status, problems, headers. */
function problem(h, { code, response }) {
  const headers = [...(response.get('headers')?.keys() ?? [])];
  return h(
    'tr',
    { className: 'response' },
    h('td', { className: 'response-col_status' }, code),
    h(
      'td',
      { className: 'response-col_description' },
      prose(h)({ source: response.get('description') }),
      headers.length > 0 && h('p', null, 'With ', h('code', null, headers.join(', '))),
    ),
  );
}

/** Curl lines of an operation, before what it takes. */
function samples(h, { atHome, copy }, contract, [path, method]) {
  const lines = contract.getIn(['paths', path, method, 'x-codeSamples'])?.toJS() ?? [];
  return h(
    'div',
    { className: 'samples' },
    lines.map(({ label, source }) => {
      const line = atHome(source.trim());
      return h(
        'div',
        { key: label },
        h('h4', null, label),
        h('pre', { className: 'sample', tabIndex: 0 }, h('code', null, line)),
        navigator.clipboard &&
          h(
            'button',
            {
              type: 'button',
              className: 'small',
              'aria-label': `Copy: ${label}`,
              onClick: (event) => copy(line, event.currentTarget),
            },
            'Copy',
          ),
      );
    }),
  );
}

/** The prose of the contract: paragraphs and `code`. Swagger UI's own would set innerHTML. */
function prose(h) {
  return ({ source }) =>
    (source ?? '')
      .replace(/<\/?i>/g, '') // its own "<i>Default value</i> : true"
      .trim()
      .split(/\n{2,}/)
      .filter(Boolean)
      .map((paragraph, i) =>
        h(
          'p',
          { key: i },
          paragraph.split('`').map((words, k) => (k % 2 ? h('code', { key: k }, words) : words)),
        ),
      );
}
