//! The macros that make a component of a policy.

/// Makes the crate's component of a streamer policy: `streamer!(MyLines)` of one that implements
/// [`Lines`](crate::Lines), `streamer!(step MyPolicy<_>)` of one that implements [`Policy`](crate::Policy). At most one
/// such macro in a crate. A native build only checks it.
#[macro_export]
macro_rules! streamer {
    (step $policy:ty) => {
        // The generated glue is the one place that can't do without unsafe code.
        #[allow(unsafe_code)]
        #[cfg(all(target_arch = "wasm32", not(test)))]
        const _: () = {
            use $crate::component::bindings::streamer as bindings;
            use bindings::exports::fedtail::policy::tailing;

            struct Component;

            ::std::thread_local! {
                /// The one stream of this instance, once it is started.
                static POLICY: ::std::cell::Cell<::std::option::Option<$policy>> =
                    const { ::std::cell::Cell::new(::std::option::Option::None) };
            }

            impl tailing::Guest for Component {
                fn start(settings: tailing::Settings) -> ::std::result::Result<(), ::std::string::String> {
                    POLICY.set(::std::option::Option::Some($crate::component::streamer::start(settings)?));
                    ::std::result::Result::Ok(())
                }

                fn step(wake: tailing::Wake) -> ::std::result::Result<tailing::Next, ::std::string::String> {
                    // Taken out and put back: a component is never re-entered, and this way no borrow could panic.
                    let mut policy = POLICY.take().ok_or("the policy was stepped before it was started")?;
                    let next = $crate::component::streamer::step(&mut policy, wake);
                    POLICY.set(::std::option::Option::Some(policy));
                    next
                }
            }

            bindings::export!(Component with_types_in bindings);
        };
    };
    ($lines:ty) => {
        $crate::streamer!(step $crate::filter::Filter<$crate::component::streamer::Site, $lines>);

        // A native build sees that it is a policy, and that it is used.
        const _: () = {
            const fn is_policy<P: $crate::Lines>() {}
            is_policy::<$lines>()
        };
    };
}

/// Makes the crate's component of a receiver policy that implements [`Gate`](crate::receiver::Gate). At most one such
/// macro in a crate. A native build only checks it.
#[macro_export]
macro_rules! receiver {
    ($gate:ty) => {
        // The generated glue is the one place that can't do without unsafe code.
        #[allow(unsafe_code)]
        #[cfg(all(target_arch = "wasm32", not(test)))]
        const _: () = {
            use bindings::exports::fedtail::policy::receiving;
            use $crate::component::bindings::receiver as bindings;

            struct Component;

            ::std::thread_local! {
                /// The one stream of this instance, once it is accepted.
                static POLICY: ::std::cell::Cell<::std::option::Option<$crate::receiver::Receiver<$gate>>> =
                    const { ::std::cell::Cell::new(::std::option::Option::None) };
            }

            impl receiving::Guest for Component {
                fn accept(caller: receiving::Caller) -> ::std::result::Result<receiving::Terms, receiving::Refusal> {
                    let (policy, terms) = $crate::component::receiver::accept(caller)?;
                    POLICY.set(::std::option::Option::Some(policy));
                    ::std::result::Result::Ok(terms)
                }

                fn step(wake: receiving::Wake) -> ::std::result::Result<receiving::Next, ::std::string::String> {
                    let mut policy = POLICY.take().ok_or("the policy was stepped before it accepted the stream")?;
                    let next = $crate::component::receiver::step(&mut policy, wake);
                    POLICY.set(::std::option::Option::Some(policy));
                    ::std::result::Result::Ok(next)
                }

                fn finish(ending: receiving::Ending) -> receiving::Disposition {
                    $crate::component::receiver::finish(POLICY.take(), ending)
                }
            }

    bindings::export!(Component with_types_in bindings);
        };

        // A native build sees that it is a policy, and that it is used.
        const _: () = {
            const fn is_policy<P: $crate::receiver::Gate>() {}
            is_policy::<$gate>()
        };
    };
}
